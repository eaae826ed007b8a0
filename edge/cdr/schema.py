"""The record as a JSON Schema (2020-12), made from its columns. Pure; what ships as `cdr.schema.json`."""

from edge.cdr.record import COLUMNS, ITEMS, SCHEMA_VERSION, CallOutcome, Column

Schema = dict[str, "str | bool | int | list[str] | list[Schema] | Schema"]

INSTANT: Schema = {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"}
_STRING: Schema = {"type": "string"}
_INTEGER: Schema = {"type": "integer"}
_NULL: Schema = {"type": "null"}
_TYPES: dict[str, Schema] = {
    "string": _STRING,
    "integer": _INTEGER,
    "boolean": {"type": "boolean"},
    "instant": INSTANT,
}
_WORDS: dict[str, list[str]] = {
    "outcome": [outcome.value for outcome in CallOutcome],
    "release_side": ["", "ingress", "egress", "edge"],
    "account_kind": ["", "human", "automated"],
    "decided_by": ["", "limits", "share", "store_away"],
    "attestation": ["", "A", "B", "C"],
    "attestation_source": ["", "identity", "attestation_info", "verstat"],
}
"""Columns whose words are all known."""


def json_schema() -> Schema:
    """The whole schema. Columns that a later edge adds at the end are allowed: a reader skips what it does not know."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Call detail record",
        "description": "One line of a CDR segment; columns in the order of `required`. See docs/cdr.md.",
        "type": "object",
        "properties": {
            **{column.name: _property(column) for column in COLUMNS},
            "crc": {
                "type": "string",
                "pattern": "^[0-9a-f]{8}$",
                "description": "CRC-32 of the line up to the comma before it; the last key of a line, and no column.",
            },
        },
        "required": [column.name for column in COLUMNS],
        "additionalProperties": True,
    }


def _property(column: Column) -> Schema:
    kind = column.type.removesuffix(" or null")
    if column.name == "v":
        shape: Schema = {"const": SCHEMA_VERSION}
    elif kind == "list":
        shape = {"type": "array", "items": _item(column.name)}
    elif column.name in _WORDS:
        shape = {"enum": _WORDS[column.name]}
    else:
        shape = dict(_TYPES[kind])
    if kind != column.type:
        shape = {"anyOf": [shape, _NULL]}
    meaning = column.meaning if not column.unit or kind == "instant" else f"{column.meaning} ({column.unit})"
    return {"description": meaning, **shape}


def _item(column: str) -> Schema:
    """One item of a list."""
    parts = [_part(kind) for _, kind in ITEMS.get(column, ())]
    if len(parts) < 2:
        return parts[0] if parts else _STRING
    return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}


def _part(kind: str) -> Schema:
    shape = _TYPES[kind.removesuffix(" or null")]
    return {"anyOf": [shape, _NULL]} if kind.endswith(" or null") else shape
