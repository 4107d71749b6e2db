"""What a reviewer finds outside the change is not the change's matter."""

from __future__ import annotations

import pytest

from orch.workflow.shepherd import Finding, Judgement, check_name, weighed

HERE, THERE = Finding("mend it", "src/a.py", 3), Finding("and this", "src/b.py")
WHOLE = Finding("no tests")


@pytest.mark.parametrize(
    ("approved", "findings", "verdict", "told"),
    [
        (True, [], True, ""),
        (False, [], False, "the reviewer gave no reason"),
        (False, [HERE], False, "src/a.py:3: mend it"),
        (False, [HERE, THERE], False, "src/a.py:3: mend it"),
        (False, [THERE], True, ""),
        (False, [WHOLE, THERE], False, "no tests"),
        (False, [Finding("x", "./src/../src/a.py")], False, "./src/../src/a.py: x"),
        (True, [HERE], True, "src/a.py:3: mend it"),
    ],
)
def test_findings_are_weighed_by_the_files_of_the_change(
    approved: bool, findings: list[Finding], verdict: bool, told: str
) -> None:
    assert weighed(Judgement(approved, findings), ["src/a.py"]) == (verdict, told)


def test_a_check_is_named_by_its_words() -> None:
    assert check_name("  pytest\t-q ") == "pytest -q"
