"""Digits before called numbers: tech prefixes of an ingress trunk, rewriting at an egress trunk. Pure.

Imports pydantic and this room.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from edge.config.fields import CalledPrefix, Replacement, Section

MAX_TECH_PREFIXES = 1_000
MAX_REWRITES = 64


class RewriteEntry(Section):
    """What becomes of called numbers that begin so."""

    prefix: CalledPrefix = Field(
        description='Beginning of the called number, in E.164 with its plus, or as dialled for short codes; `""`: any. '
        "The longest that fits counts.",
        examples=["+33"],
    )
    replace: Replacement = Field(
        default="", description="Put in its place; empty: it is only taken off.", examples=["0"]
    )


class PrefixTable:
    """Texts by the longest beginning."""

    __slots__ = ("_lengths", "_values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._lengths = tuple(sorted({len(prefix) for prefix in values}, reverse=True))

    def __bool__(self) -> bool:
        return bool(self._values)

    def find(self, text: str) -> tuple[str, str] | None:
        """(beginning, its value); None where none fits."""
        for length in self._lengths:
            value = self._values.get(text[:length])
            if value is not None and length <= len(text):
                return text[:length], value
        return None


NO_PREFIXES: Final = PrefixTable({})
"""Every empty table of a policy: to ask whether there are any is to compare."""


def tech_prefixes(entries: Mapping[str, str]) -> PrefixTable:
    """Accounts by tech prefix."""
    return PrefixTable(entries) if entries else NO_PREFIXES


def rewrites(entries: tuple[RewriteEntry, ...]) -> PrefixTable:
    """What to put in the place of a beginning."""
    return PrefixTable({entry.prefix: entry.replace for entry in entries}) if entries else NO_PREFIXES


def rewritten(called: str, table: PrefixTable) -> str:
    """The called number as this trunk wants it; empty: as it came, since no line is about it."""
    found = table.find(called) if table else None
    if found is None:
        return ""
    prefix, replacement = found
    return replacement + called[len(prefix) :]
