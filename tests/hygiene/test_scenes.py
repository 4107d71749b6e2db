"""The script of the README's pictures works, and what it shows is whole."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tools.scenes import Terminal, drawn, staged, watching


def test_watching_is_seen_and_drawn_to_its_last_column() -> None:
    with staged((80, 24), colour=True) as stage:
        Terminal(stage, "first").play('orch issue create "Add a --json flag"')
        screen = watching(stage)
        place = stage.place
    assert not place.exists()
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen).splitlines()
    branches = [line for line in lines if re.match(r"(impl|tests) ", line)]
    whole = re.match(r"run ([0-9a-f]{7})", lines[0])
    assert whole is not None
    assert [line.endswith(f"-{name}-{whole[1]}") for name, line in
            (("impl", branches[0]), ("tests", branches[1]))] == [True, True], branches  # fmt: skip
    assert all(len(line) == 80 for line in branches), "cut to fit, yet to the last column"
    steps = [line for line in lines if re.match(r" +\d+  agent ", line)]
    columns = {line.index("running") for line in (*steps, *branches)}
    assert len(columns) == 1, "states stand below each other"
    picture = ElementTree.fromstring(drawn(screen, 80, "a <board>"))
    assert "writing test_app.py" in "".join(picture.itertext())
    assert 'fill="#79c0ff">running' in drawn(screen, 80, "t")


def test_a_style_lasts_beyond_the_end_of_its_line() -> None:
    picture = drawn("\x1b[1;31mred\nstill <red>\x1b[0m plain", 80, "t")
    assert '<tspan fill="#ff7b72" font-weight="bold">still &lt;red&gt;</tspan>' in picture
    assert "<tspan> plain</tspan>" in picture
