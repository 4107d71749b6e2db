"""How many of the moments at which a program can be killed are tried."""

from __future__ import annotations

step = 4
"""Every fourth; `./dev test --every-call PATH` takes all."""
