"""`orch version`."""

from __future__ import annotations

import platform

import click

from orch._version import __version__
from orch.cli.options import examples, output, shared
from orch.cli.words import Verb


@click.command(cls=Verb, epilog=examples("orch version", "orch version --json"))
@shared
def version(as_json: bool, quiet: bool, no_color: bool) -> None:
    """Print the version."""
    out = output(as_json, quiet, no_color)
    if as_json:
        out.data({"version": __version__, "python": platform.python_version()})
    else:
        out.line(__version__ if quiet else f"orch {__version__}")
