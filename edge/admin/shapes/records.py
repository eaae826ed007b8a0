"""Call detail records as the API tells them. Pure. A record is what stands in the log (docs/cdr.md)."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from edge.admin.shapes.shape import Answer
from edge.cdr.schema import json_schema

_PAIR = {"type": "array", "items": {}, "minItems": 2, "maxItems": 2}
"""Readers of OpenAPI know no arrays with a shape for each place."""


def _schema() -> dict[str, object]:
    schema: dict[str, object] = {**json_schema()}
    del schema["$schema"]
    columns = schema["properties"]
    assert isinstance(columns, dict)
    for name, column in columns.items():
        if "prefixItems" in str(column):
            columns[name] = {"type": "array", "items": _PAIR, "description": column["description"]}
    return schema


_SCHEMA = _schema()

Record = Annotated[dict[str, object], WithJsonSchema(_SCHEMA)]
Outcome = Literal["answered", "cancelled", "abandoned", "refused", "failed"]
Form = Literal["csv", "jsonl", "parquet"]


class Records(Answer):
    """A page of records, the newest first."""

    nodes: list[str] = Field(description="Nodes whose logs were looked at for this page.")
    silent: list[str] = Field(
        description="Nodes of the last day whose records are missing: they gave no answer, or are gone. The pages that "
        "follow do not ask them again."
    )
    items: list[Record]
    next: str | None = Field(
        default=None, description="`cursor` of the next page, also where this one is short; null: all was looked at."
    )
