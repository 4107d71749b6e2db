"""Where pull requests live: one file per forge, all behind `orch.ports.Forge`.

`local` keeps PR records as files and needs nothing else; `memory` is the deterministic double.
"""
