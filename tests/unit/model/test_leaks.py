"""Secrets are found by shape and by value, however they are written (H95; RELIABILITY §2, 18)."""

from __future__ import annotations

import base64
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings, strategies as st

from orch.model.leaks import redacted

A36 = "abcDEF123456ghiJKL789012mnoPQR345678"
SHAPES = {
    "classic": f"ghp_{A36}", "oauth": f"gho_{A36}", "server": f"ghs_{A36}",
    "fine grained": f"github_pat_11ABCDEFG0{A36}", "gitlab": "glpat-xxABcd_1234567890ab",
    "slack bot": "xoxb-1234567890-abcdefghij", "slack app": "xapp-1-A012345-678901234-abcdef",
    "aws": "AKIAIOSFODNN7EXAMPLE", "anthropic": f"sk-ant-api03-{A36}", "openai": f"sk-proj-{A36}",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv", "stripe": "sk_live_abcdef1234567890abcd",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "npm": f"npm_{A36}", "hugging face": f"hf_{A36}", "linear": f"lin_api_{A36}",
    "telegram": "123456789:AAabcdefghijklmnopqrstuvwxyz1234567",
    "slack hook": "https://hooks.slack.com/services/T0/B0/abcdefghijkl",
    "discord hook": "https://discord.com/api/webhooks/123/abcdefghijkl",
    "key": "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\ndef\n-----END OPENSSH PRIVATE KEY-----",
    "half a key": "-----BEGIN RSA PRIVATE KEY-----\nMIIabc",
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_masked_wherever_it_stands(name: str) -> None:
    secret = SHAPES[name]
    for around in ("{}", "# {}", "`{}`", '"{}",', "<!-- {} -->", "x={}\n", "// {}", "({})."):
        text, count = redacted(around.format(secret))
        assert count == 1
        assert secret not in text
        assert "***" in text


@pytest.mark.parametrize("name", sorted(set(SHAPES) - {"key", "half a key", "slack hook", "jwt"}))
def test_a_shape_that_is_turned_or_encoded_is_masked(name: str) -> None:
    secret = SHAPES[name]
    for form in (secret[::-1], base64.b64encode(secret.encode()).decode(), secret.encode().hex(),
                 base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")):  # fmt: skip
        text, count = redacted(f"so {form} it is")
        assert (text, count) == ("so *** it is", 1), form


@pytest.mark.parametrize(
    "text",
    [
        "API_TOKEN=8f3kd93kfSDF83kfd",
        'password: "Tr0ub4dor&3xyzABC1234567"',
        "Authorization: Bearer 8f3kd93kfSDF83kfd",
        "secret_key => 'a8d7f6g5h4j3k2l1q0w9'",
        "git clone https://me:hunter22@example.com/x",
    ],
)
def test_what_is_assigned_to_a_name_of_secrets_is_masked(text: str) -> None:
    assert redacted(text)[1] == 1


@pytest.mark.parametrize(
    "text",
    [
        "the commit 3cbe3c8f1d2b4a5968778695a4b3c2d1e0f00112",
        "a5e1c7b0-1d2f-4e3a-9b8c-7d6e5f4a3b2c",
        "token = get_token_from_environment()",
        "password: see the vault",
        "risk-assessment-of-the-new-parser",
        "sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
        "AKIA is a prefix",
        "https://example.com/a:b@c",
        "auth: basic things that people say",
        "src/orch/engine/handlers.py: 12 lines",
        "the task-management-dashboard-component-of-this",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redacted(text, ["another-value"]) == (text, 0)


CANARY = "canary-7f3a9b2e51c8d604"


def forms(value: str) -> dict[str, str]:
    raw = value.encode()
    return {
        "raw": value,
        "upper": value.upper(),
        "reversed": value[::-1],
        "hex": raw.hex(),
        "hex with blanks": raw.hex(" "),
        "hex reversed": raw.hex()[::-1],
        "base64": base64.b64encode(raw).decode(),
        "base64 shifted": base64.b64encode(b"x" + raw).decode(),
        "base64 shifted more": base64.b64encode(b"xy" + raw + b"z").decode(),
        "base64 reversed": base64.b64encode(raw).decode()[::-1],
        "base64 of reversed": base64.b64encode(raw[::-1]).decode(),
        "url": quote(value, safe=""),
        "url, all of it": "".join(f"%{b:02x}" for b in raw),
        "split by blanks": " ".join(value),
        "split by lines": "\n".join([value[:7], value[7:]]),
        "split by marks": "-".join(value),
        "split by code": "`" + "`.`".join(value) + "`",
        "in quotes": '"' + '" + "'.join([value[:5], value[5:12], value[12:]]) + '"',
    }


@pytest.mark.parametrize("form", forms(CANARY))
def test_a_value_that_we_hold_is_masked_in_every_form(form: str) -> None:
    hidden = forms(CANARY)[form]
    text, count = redacted(f"before {hidden} after", [CANARY])
    assert count >= 1
    assert text.startswith("before ")
    assert text.endswith(" after")
    left = "".join(c for c in text if c.isalnum()).lower()
    assert "7f3a9b2e51c8d604" not in left
    assert len(left) <= len("beforeafter") + 6  # what stands beside it in another alphabet


def test_short_values_mask_no_words() -> None:
    assert redacted("the cat sat", ["cat", "", "   "]) == ("the cat sat", 0)


@settings(deadline=None, max_examples=200)
@given(
    st.text(max_size=80), st.text(alphabet="ab1-_/", min_size=8, max_size=20), st.text(max_size=80)
)
def test_a_known_value_never_stays(before: str, value: str, after: str) -> None:
    text, _ = redacted(f"{before} {value} {after}", [value])
    assert value not in text
    assert redacted(text, [value])[0] == text or value.strip() == ""


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "ghp_",
        "sk-",
        "eyJ",
        "eyJaaaaaaaaa.",
        "://",
        "a://b",
        "token=",
        "-----BEGIN PRIVATE KEY-----",
        "aa ",
        "0:AA",
        "Z" * 30 + " ",
        "bearer ",
    ],
)
def test_long_texts_take_no_time_to_speak_of(piece: str) -> None:
    began = time.process_time()
    redacted(piece * (60_000 // len(piece)), [CANARY])
    assert time.process_time() - began < 4
