"""The JSON Schema says of a file what `load` says of it, as far as one key alone can tell."""

from __future__ import annotations

import tomllib
from pathlib import Path

import jsonschema
import pytest

from orch.config import load
from orch.config.reading import kinds_of
from orch.config.schema import schema
from orch.config.tree import NAMED, SECTIONS
from orch.model.errors import ConfigError

SOUND = [
    "",
    '[defaults]\nworkflow = "x"\ntest_command = "pytest -q"\n',
    '[agents.a]\ncommand = ["prog"]\nenv = { KEY = "file:x" }\ntimeout_s = 0\n',
    '[agents.s]\nkind = "scripted"\nscript = [{do = "say", text = "hello"}]\n',
    '[repos.thing]\nbase_branch = "dev"\n',
    "[run]\nlost_attempts = 1000\nstop_grace_s = 0\n",
    '[trust]\nrepos = ["thing"]\n',
    '[model_map.simple]\na = "x"\nb = ["y", "z"]\n',
    "[budget.day]\nusd = 2.5\n",
    '[prices."gpt-5.4"]\ninput = 0\noutput = 1\n',
]
UNSOUND = [
    "[defaults]\nagnet = 'x'\n",
    "[nothing]\nx = 1\n",
    "[run]\nlost_attempts = 0\n",
    "[run]\nlost_attempts = 1.5\n",
    "[run]\ncancel_deadline_s = 0\n",
    "[agents.a]\ncommand = []\n",
    "[agents.BIG]\ncommand = ['x']\n",
    "[agents.a]\ncommand = ['x']\nio = 'screen'\n",
    "[agents.a]\ncommand = ['x']\nenv = { '1A' = 'x' }\n",
    "[git]\nname = 42\n",
    "[git]\nname = 'a < b'\n",
    "[repos.thing]\nbase_branch = '-x'\n",
    "[model_map.simple]\na = []\n",
    "[model_map.simple]\na = '[]'\n",
    "[router]\nmodel = '--x'\n",
    "[model_map.simple]\nA = 'x'\n",
    "[budget.week]\nusd = 1\n",
    "[budget.day]\nusd = -1\n",
    "[metering]\nkeep_for_people = 2\n",
]


def test_it_is_a_schema_and_names_every_key() -> None:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    for name, struct in SECTIONS.items():
        assert set(made["properties"][name]["properties"]) == set(kinds_of(struct))
    for name, (struct, _, _) in NAMED.items():
        inner = made["properties"][name]["additionalProperties"]
        assert set(inner["properties"]) == set(kinds_of(struct))


@pytest.mark.parametrize(
    ("text", "sound"), [*((t, True) for t in SOUND), *((t, False) for t in UNSOUND)]
)
def test_schema_and_loader_agree(tmp_path: Path, text: str, sound: bool) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    file.chmod(0o600)
    found = list(jsonschema.Draft202012Validator(schema()).iter_errors(tomllib.loads(text)))
    assert (not found) == sound, found
    if sound:
        load(tmp_path, None, {}, {"HOME": str(tmp_path)})
    else:
        with pytest.raises(ConfigError):
            load(tmp_path, None, {}, {"HOME": str(tmp_path)})
