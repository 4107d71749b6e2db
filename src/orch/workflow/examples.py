"""Made-up values that fit a JSON Schema: what a rehearsal answers with.

Invariant: deterministic, and finite for every schema, also one that holds itself.
"""

from __future__ import annotations

from typing import Any

DEEP, DEEPEST = 4, 12
"""Below the first only what must be there is made up, below the second nothing is."""
MOMENT = "2000-01-01T00:00:00Z"
TEXTS = {
    "date-time": MOMENT,
    "date": MOMENT[:10],
    "time": MOMENT[11:],
    "uri": "https://example.org",
}


def example(schema: dict[str, Any], *, yes: bool = True) -> Any:
    """A value of that shape. `yes` makes every boolean true, takes the first of several words and
    leaves lists empty; without it booleans are false, the last word is taken and lists have one item
    (a verdict that says no, with its comment)."""
    return _Maker(schema, yes).make(schema, 0)


class _Maker:
    def __init__(self, root: dict[str, Any], yes: bool) -> None:
        self._root = root
        self._yes = yes

    def make(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > DEEPEST:
            return None
        if "$ref" in schema:
            return self.make(self._target(str(schema["$ref"])), depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0 if self._yes else -1]
        for word in ("anyOf", "oneOf", "allOf"):
            if schema.get(word):
                several = [s for s in schema[word] if s != {"type": "null"}]
                return self.make(several[0] if several else {"type": "null"}, depth + 1)
        return self._typed(schema, depth)

    def _typed(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((word for word in kind if word != "null"), "null")
        match kind:
            case "boolean":
                return self._yes
            case "integer" | "number":
                return _number(schema)
            case "null":
                return None
            case "array":
                return self._array(schema, depth)
            case "object":
                return self._object(schema, depth)
        text = str(TEXTS.get(schema.get("format", ""), "made up"))
        return text.ljust(int(schema.get("minLength", 0)), ".")[: int(schema.get("maxLength", 99))]

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        fields = schema.get("properties", {})
        wanted = fields if depth <= DEEP else schema.get("required", ())
        return {name: self.make(fields[name], depth + 1) for name in wanted if name in fields}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        if isinstance(schema.get("prefixItems"), list):
            return [self.make(item, depth + 1) for item in schema["prefixItems"]]
        count = max(int(schema.get("minItems", 0)), 0 if self._yes or depth > DEEP else 1)
        count = min(count, int(schema.get("maxItems", count)), 100)
        return [self.make(schema.get("items", {}), depth + 1) for _ in range(count)]

    def _target(self, ref: str) -> Any:
        found: Any = self._root
        for part in ref.removeprefix("#").strip("/").split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            found = found.get(part) if part and isinstance(found, dict) else found
        return found


def _number(schema: dict[str, Any]) -> int | float:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"] + 1
    found = 1 if least is None else least
    return most if most is not None and found > most else found
