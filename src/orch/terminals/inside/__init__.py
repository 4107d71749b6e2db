"""What runs inside a terminal: it starts an attempt's program, keeps its output, tells its end.

Invariant: the standard library only, and little of it, because every attempt waits for these
imports (`signal`, `json`, `ctypes` and `subprocess` cost more than the interpreter's own start);
nothing from the rest of `orch`, whose package is not even imported (see `orch.terminals.wrapper`).
"""
