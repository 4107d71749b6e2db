insert or ignore into sources (digest, module, filename, text) values (?, ?, ?, ?)
