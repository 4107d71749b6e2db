"""The door: answers `--version` before anything is imported, then hands over to the command line."""

import sys


def main() -> int:
    """Entry point of `orch` and `conductor`. Gives the exit code."""
    if len(sys.argv) == 2 and sys.argv[1] in ("--version", "-V"):
        from orch._version import __version__

        sys.stdout.write(f"orch {__version__}\n")
        return 0
    from orch.cli.app import run

    return run(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
