"""Documents drawn from Atlassian's own schema, definition by definition, for hypothesis.

Nothing is known here about ADF: whatever `full.json` allows is drawn, so a definition that a newer
schema brings is covered on the day it is copied here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import strategies as st

SAMPLES = Path(__file__).parent / "samples" / "adf"
SCHEMA: dict[str, Any] = json.loads((SAMPLES / "full.json").read_text("utf-8"))
DEFINITIONS: dict[str, dict[str, Any]] = SCHEMA["definitions"]

WORDS = [
    "#", "-", "+", "*", "1.", "2)", ">", "|", "`", "```", "~~~", "~", "~~", "**", "__", "_",
    "*a*", "**b**", "[x](y)", "![i](j)", "[", "]", "[x]", "<script>", "</b>", "<!--", "-->",
    "&amp;", "&#35;", "&", "&lt", "http://a.example", "www.b.example", "@octocat",
    "a@b.example", "#12", "o/r#3", "GH-4", "---", "===", ":---", "|--|--|", "\\", "\\*", "!",
    "$x$", ":smile:", "[!NOTE]", "▸", "a", "b", "word", "naïve", "漢字", "🎉", " ", "\u00a0",
    "\u200d", "e\u0301",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(WORDS), max_size=5).map(" ".join)
JOINED = st.lists(st.sampled_from(WORDS), max_size=4).map("".join)
ANY = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
TEXTS = (
    HOSTILE
    | JOINED
    | ANY
    | st.sampled_from(["a\nb", "a\n```\nb", "~~~\n`", " a ", "a  b", "\ta", "x\u2028y"])
)
PATTERNS = {
    "^#[0-9a-fA-F]{6}$": "#aB0934",
    "^#[0-9a-fA-F]{8}$|^#[0-9a-fA-F]{6}$": "#aB093412",
    "^(neutral|purple|blue|red|yellow|green|#[0-9a-fA-F]{6})$": "purple",
}

SAID = {
    "status": ("text",),
    "placeholder": ("text",),
    "mention": ("text", "id"),
    "emoji": ("text", "shortName"),
    "expand": ("title",),
    "nestedExpand": ("title",),
    "media": ("alt",),
    "mediaInline": ("alt",),
    "extension": ("text",),
    "inlineExtension": ("text",),
}


def _any_of(validator: Any, options: Any, instance: Any, _schema: Any) -> Iterator[Any]:
    """`anyOf` that looks only at the options of the node's type, and stops at the first error: the
    stock one takes seconds for a document of a kilobyte."""
    name = instance.get("type") if isinstance(instance, dict) else None
    near = [option for option in options if name is None or name in _types(_key(option), name)]
    if not any(validator.evolve(schema=option).is_valid(instance) for option in near):
        yield jsonschema.ValidationError(f"{str(instance)[:300]} fits none of {len(near)} schemas")


@cache
def _types(key: str, default: str) -> tuple[str, ...]:
    """The types of node that a schema speaks of; `default` where it names none."""
    names = resolved(json.loads(key)).get("properties", {}).get("type", {}).get("enum")
    return tuple(names) if names else (default,)


_Validator = jsonschema.validators.extend(jsonschema.Draft4Validator, {"anyOf": _any_of})


def errors(document: object) -> list[str]:
    """What the schema says against a document, shortened."""
    found = _Validator(SCHEMA).iter_errors(document)
    return [f"{list(error.path)}: {error.message[:300]}" for error in found]


def said(node: dict[str, Any]) -> Iterator[str]:
    """What a document says, in order, by the letter of the schema."""
    attrs = node.get("attrs") or {}
    yield node.get("text", "")
    yield next((attrs[name] for name in SAID.get(node["type"], ()) if attrs.get(name)), "")
    if node["type"] in ("extension", "bodiedExtension", "inlineExtension"):
        yield attrs["extensionType"]
        yield attrs["extensionKey"]
    for child in node.get("content", []):
        yield from said(child)


def documents(depth: int = 5) -> st.SearchStrategy[dict[str, Any]]:
    """Whole documents, nested `depth` definitions deep where the schema lets them end there."""
    return drawn(SCHEMA, depth)


def of_definition(name: str, depth: int = 4) -> st.SearchStrategy[Any]:
    """What one definition allows."""
    return drawn(DEFINITIONS[name], depth)


@st.composite
def drawn(draw: st.DrawFn, schema: dict[str, Any], depth: int) -> Any:
    return _draw(draw, schema, depth)


def _draw(draw: Callable[..., Any], schema: dict[str, Any], depth: int) -> Any:
    schema = resolved(schema)
    if "anyOf" in schema:
        options = schema["anyOf"]
        affordable = [option for option in options if cost(_key(option)) <= depth]
        cheapest = min(options, key=lambda option: cost(_key(option)))
        return _draw(draw, draw(st.sampled_from(affordable or [cheapest])), depth)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    match schema.get("type"):
        case "object":
            return _draw_object(draw, schema, depth)
        case "array":
            return _draw_array(draw, schema, depth)
        case "string":
            pattern = schema.get("pattern")
            text = PATTERNS[pattern] if pattern else draw(TEXTS)
            return text or "x" * schema.get("minLength", 0)
        case "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 9)
            return draw(st.integers(int(low), int(high)))
        case "boolean":
            return draw(st.booleans())
    return draw(st.none() | st.just({}) | st.just({"jql": "a = 'b`c'"}) | st.just(["x", 1]))


def _draw_object(draw: Callable[..., Any], schema: dict[str, Any], depth: int) -> dict[str, Any]:
    found = {}
    required = schema.get("required", [])
    for name, part in schema.get("properties", {}).items():
        if name in required:
            wanted = True
        elif name in ("marks", "content", "attrs"):
            wanted = depth > 0 and draw(st.booleans())
        else:
            wanted = draw(st.integers(0, 3)) == 0
        if wanted:
            found[name] = _draw(draw, part, depth - (name == "content"))
    return found


def _draw_array(draw: Callable[..., Any], schema: dict[str, Any], depth: int) -> list[Any]:
    items = schema.get("items", {})
    least = schema.get("minItems", 0)
    most = schema.get("maxItems", 3)
    if isinstance(items, list):  # one schema a place, the last one for all that follow
        count = draw(st.integers(max(least, 1), max(most, 1)))
        places = (items * count)[:count] if schema.get("maxItems") else [items[0]] * count
        return [_draw(draw, part, depth) for part in places]
    if not items or cost(_key(items)) > depth:
        most = least
    return [_draw(draw, items, depth) for _ in range(draw(st.integers(least, most)))]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without `$ref` and `allOf` at its top."""
    while "$ref" in schema or "allOf" in schema:
        if "$ref" in schema:
            schema = DEFINITIONS[schema["$ref"].rsplit("/", 1)[-1]]
            continue
        merged: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        parts = [resolved(part) for part in schema["allOf"]]
        for part in parts:
            merged["properties"] |= part.get("properties", {})
            merged["required"] += part.get("required", [])
        for part in parts:
            if part.get("additionalProperties") is False:
                kept = {name: merged["properties"][name] for name in part["properties"]}
                merged["properties"] = kept
        schema = merged
    return schema


def _key(schema: dict[str, Any]) -> str:
    return json.dumps(schema, sort_keys=True)


@cache
def cost(key: str, seen: tuple[str, ...] = ()) -> int:
    """How many levels of content the smallest value of a schema has; many where there is none."""
    if key in seen:
        return 99
    schema = resolved(json.loads(key))
    if "anyOf" in schema:
        return min(cost(_key(option), (*seen, key)) for option in schema["anyOf"])
    if schema.get("type") == "array":
        items = schema.get("items", {})
        first = items[0] if isinstance(items, list) else items
        return cost(_key(first), (*seen, key)) if schema.get("minItems") else 0
    if schema.get("type") == "object":
        parts = [schema["properties"][name] for name in schema.get("required", [])]
        return max((1 + cost(_key(p), (*seen, key)) for p in parts if "items" in p), default=0)
    return 0
