"""The version, alone in its file: read by the build and by `orch --version` before any import."""

__version__ = "0.1.0"
