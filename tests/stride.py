"""How many of the moments at which a program can be killed are tried."""

from __future__ import annotations

step = 3
"""Every third; `./dev test --every-call PATH` takes all."""
