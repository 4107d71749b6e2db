"""Many threads decode a type for the first time at once: nobody sees half of it."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from orch.model import typed

FIRST = """
import sys, threading, types
import msgspec
from orch.model import typed

sys.setswitchinterval(1e-6)
TEXT = "import msgspec\\n" + "".join(
    f"class N{i}(msgspec.Struct):\\n    a: 'int' = 0\\n    b: 'list[int] | None' = None\\n"
    for i in range(30)
) + "class S(msgspec.Struct):\\n" + "".join(f"    f{i}: 'N{i} | None' = None\\n" for i in range(30))
RAW = b'{"f0": {"a": 1}, "f29": {"b": [1]}}'
GIVEN = {"f0": {"a": 1}, "f29": {"b": [1]}}
WAYS = {
    "decode": lambda shape: typed.decode(RAW, shape),
    "convert": lambda shape: typed.convert(GIVEN, shape),
    "bare": lambda shape: msgspec.json.decode(RAW, type=shape),
}
way = WAYS[sys.argv[1]]
for number in range(150):
    module = sys.modules[f"m{number}"] = types.ModuleType(f"m{number}")
    exec(TEXT, vars(module))
    together = threading.Barrier(6)
    found = []

    def first(shape=module.S):
        together.wait()
        found.append(way(shape).f29.b)

    threads = [threading.Thread(target=first) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[1]] * 6, found
"""


@pytest.mark.parametrize("way", ["decode", "convert"])
def test_a_type_that_many_threads_need_at_once_ends_no_process(way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST, way], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])


class Point(msgspec.Struct):
    x: int


def test_what_does_not_fit_is_refused_as_msgspec_does() -> None:
    assert typed.decode(b'{"x": 1}', Point) == typed.convert({"x": 1}, Point) == Point(1)
    for _ in range(2):
        with pytest.raises(msgspec.ValidationError):
            typed.decode(b'{"x": "a"}', Point)
        with pytest.raises(msgspec.ValidationError):
            typed.convert({"x": "a"}, Point)
    with pytest.raises(msgspec.DecodeError):
        typed.decode(b"{", list[Point] | None)
