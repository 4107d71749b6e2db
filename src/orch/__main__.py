"""The door: answers `--version` before anything is imported, then hands over to the command line.

Invariant: when the process ends, the output is handed over and the home is closed; only then is the
interpreter left without taking it apart, which would cost a listing a fifth of its time.
"""

import sys


def main() -> None:
    """Entry point of `orch` and `conductor`. Ends the process with the command's exit code; only
    `--version` comes back."""
    if len(sys.argv) == 2 and sys.argv[1] in ("--version", "-V", "version"):
        from orch._version import __version__

        sys.stdout.write(f"orch {__version__}\n")
        return
    import gc
    import os

    gc.disable()  # while modules load, nearly everything stays: looking for waste finds none
    try:
        from orch.cli.app import run

        code = run(sys.argv)
    except KeyboardInterrupt:  # before, or after, somebody was there to tell it
        code = 130
    os._exit(code)


if __name__ == "__main__":
    main()
