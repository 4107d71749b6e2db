insert or ignore into run_sources (run, position, digest, module, filename) values (?, ?, ?, ?, ?)
