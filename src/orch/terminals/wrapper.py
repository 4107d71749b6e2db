"""The program of a terminal: `python -I -S wrapper.py DIRECTORY` runs the attempt of DIRECTORY.

Invariant: starts fast. A script is compiled each time it is run, a module is not: so the work is in
`orch.terminals.inside`. The package's own `__init__` is for people who write `import orch`; here it
would take longer than Python itself, so an empty one takes its place.
"""

import os
import sys


def main() -> int:
    package = type(sys)("orch")
    package.__path__ = [__file__.rpartition("/terminals/")[0]]
    sys.modules["orch"] = package
    from orch.terminals.inside import keeper

    return keeper.main(sys.argv[1])


if __name__ == "__main__":
    os._exit(main())
