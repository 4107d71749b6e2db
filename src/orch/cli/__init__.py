"""The command line: one file per noun; `output` is the only writer to stdout."""
