"""Where tickets live: one file per tracker, all behind `orch.ports.Tracker`.

`vault` keeps Markdown files and needs nothing else; `memory` is the deterministic double.
"""
