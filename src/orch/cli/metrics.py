"""`orch metrics`: the figures that the service tells to Prometheus, read from the books."""

from __future__ import annotations

import click

from orch.cli.options import examples, home, output, shared
from orch.cli.words import Verb


@click.command(
    cls=Verb,
    epilog=examples("orch metrics", "orch metrics --json", "orch metrics --prometheus > orch.prom"),
)
@click.option("--prometheus", is_flag=True, help="Print what Prometheus reads.")
@shared
def metrics(prometheus: bool, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Count tasks, attempts, tokens, cost, events, jobs, and effects of unknown outcome.

    No service is needed. One that runs tells the same at http://127.0.0.1:PORT/metrics, with
    `metrics.port` set in config.toml, to whoever shows the token of run/metrics.token.
    """
    from orch.api.operations import Operations
    from orch.model.figures import exposition, samples

    out, orch = output(as_json, quiet, no_color), home()
    if prometheus:
        found = list(samples(orch.store.figures(), orch.rooms.clock.now()))
        out.line(exposition(found).rstrip("\n"))
        return
    told = Operations(orch).call("metrics")
    if as_json:
        out.data(told)
    elif quiet:
        for one in told:
            out.line(f"{one['value']:g}")
    else:
        rows = [
            [one["name"].removeprefix("orch_"), " ".join(one["labels"].values()),
             f"{one['value']:.10g}"]
            for one in told
        ]  # fmt: skip
        out.table(["figure", "of", "value"], rows)
