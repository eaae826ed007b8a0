"""What one policy document says that another does not: by meaning, in the operator's own words. Pure.

Documents are compared as models, so that a default written out is no difference, and shown as they were written.
Entries with an id are matched by it, wherever they stand; where order matters, another order is a difference too.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel

from edge.config.bundle import Bundle, document_of
from edge.config.deck import DeckError, Rate, parse_deck
from edge.config.money import format_money
from edge.config.schema import PolicyDocument

ORDERED = ("cli_rules", "routes")
"""Sections whose entries are asked in their order."""
LEFT_OUT = "(left out)"
MAX_VALUE = 120
HIDDEN = "(secret)"
"""In place of what proves who a caller is (`edge.config.credentials`): a difference is shown to many."""
_SECRET = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")
MAX_RATES = 10
"""Rates told one by one; the rest are counted."""


class Difference(NamedTuple):
    """One thing that is not alike."""

    kind: str
    """`added`, `removed`, `changed` or `moved`."""
    path: str
    """`accounts.acme.caps_base`, `cli_rules.no-premium`, `rate_deck: rates.csv`."""
    before: str
    after: str

    def __str__(self) -> str:
        if self.kind == "added":
            return f"+ {self.path}" + (f": {self.after}" if self.after else "")
        if self.kind == "removed":
            return f"- {self.path}" + (f": {self.before}" if self.before else "")
        return f"~ {self.path}: {self.before} -> {self.after}"


def differences(old: Bundle | None, new: Bundle) -> tuple[Difference, ...]:
    """Everything that is another thing in `new`, in the order of the schema; files last. None: there was nothing."""
    empty = Bundle(new.name, b"", {})
    before = old or empty
    models = document_of(before.document, before.name), document_of(new.document, new.name)
    written = _toml(before.document), _toml(new.document)
    return (*_of_models("", *models, *written), *_of_files(before, new, models))


_Table = Mapping[str, object]


def _of_models(path: str, old: BaseModel, new: BaseModel, old_raw: _Table, new_raw: _Table) -> Iterator[Difference]:
    for name, field in type(new).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        key = field.alias or name
        place = f"{path}.{key}" if path else key
        raw = old_raw.get(key), new_raw.get(key)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from _of_models(place, before, after, _table(raw[0]), _table(raw[1]))
        elif isinstance(before, dict) and isinstance(after, dict):
            yield from _of_entries(place, before, after, _table(raw[0]), _table(raw[1]))
        elif _has_ids(before) and _has_ids(after):
            keyed = [{entry.id: entry for entry in side} for side in (before, after)]
            tables = [_by_id(side) for side in raw]
            yield from _of_entries(place, keyed[0], keyed[1], tables[0], tables[1])
            if name in ORDERED:
                yield from _order(place, list(keyed[0]), list(keyed[1]))
        elif isinstance(before, tuple) and isinstance(after, tuple) and not _has_models(before, after):
            yield from _of_lists(place, before, after)
        else:
            yield Difference("changed", place, _shown(raw[0]), _shown(raw[1]))


def _of_entries(
    place: str, old: Mapping[str, BaseModel], new: Mapping[str, BaseModel], old_raw: _Table, new_raw: _Table
) -> Iterator[Difference]:
    """Entries of a section, each by its name."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        raw = _table(old_raw.get(name)), _table(new_raw.get(name))
        if before is None:
            yield Difference("added", f"{place}.{name}", "", _shown({k: v for k, v in raw[1].items() if k != "id"}))
        elif after is None:
            yield Difference("removed", f"{place}.{name}", "", "")
        elif before != after:
            yield from _of_models(f"{place}.{name}", before, after, *raw)


def _of_lists(place: str, old: Sequence[object], new: Sequence[object]) -> Iterator[Difference]:
    """Values of a list: which have come, which have gone; the same ones in another order."""
    known, wanted = set(old), set(new)
    gone, come = [value for value in old if value not in wanted], [value for value in new if value not in known]
    for value in gone:
        yield Difference("removed", place, _shown(value), "")
    for value in come:
        yield Difference("added", place, "", _shown(value))
    if not gone and not come:
        yield Difference("moved", place, _shown(list(old)), _shown(list(new)))


def _order(place: str, old: list[str], new: list[str]) -> Iterator[Difference]:
    shared = [[name for name in side if name in other] for side, other in ((old, new), (new, old))]
    if shared[0] != shared[1]:
        yield Difference("moved", place, ", ".join(shared[0]), ", ".join(shared[1]))


# -- files -----------------------------------------------------------------------------------------------------------


def _of_files(old: Bundle, new: Bundle, models: tuple[PolicyDocument, PolicyDocument]) -> Iterator[Difference]:
    decks = {models[0].rate_deck, models[1].rate_deck} - {""}
    old_deck, new_deck = (old.files.get(models[0].rate_deck), new.files.get(models[1].rate_deck))
    if old_deck is not None and new_deck is not None and old_deck != new_deck:
        yield from _of_decks(models[1].rate_deck, old_deck, new_deck, models)
    for name in dict.fromkeys([*old.files, *new.files]):
        before, after = old.files.get(name), new.files.get(name)
        if before is None and after is not None:
            yield Difference("added", f"file {name}", "", f"{len(after)} bytes")
        elif after is None:
            yield Difference("removed", f"file {name}", "", "")
        elif before is not None and before != after and name not in decks:
            lines = set(before.splitlines()), set(after.splitlines())
            text = f"{len(lines[1] - lines[0])} lines added, {len(lines[0] - lines[1])} removed"
            yield Difference("changed", f"file {name}", f"{len(before)} bytes", f"{len(after)} bytes, {text}")


def _of_decks(name: str, old: bytes, new: bytes, models: tuple[PolicyDocument, PolicyDocument]) -> Iterator[Difference]:
    rates = _rates(old, models[0]), _rates(new, models[1])
    told = 0
    for prefix in sorted({*rates[0], *rates[1]}):
        before, after = rates[0].get(prefix), rates[1].get(prefix)
        if before == after:
            continue
        told += 1
        if told > MAX_RATES:
            continue
        kind = "added" if before is None else "removed" if after is None else "changed"
        yield Difference(kind, f"{name}: {prefix or 'everything else'}", _rate(before), _rate(after))
    if told > MAX_RATES:
        yield Difference(
            "changed", name, f"{len(rates[0])} rates", f"{len(rates[1])} rates, {told} of them are not alike"
        )


def _rates(data: bytes, document: PolicyDocument) -> Mapping[str, Rate]:
    try:
        return parse_deck(data.decode("utf-8-sig"), currency=document.currency).rates
    except (DeckError, UnicodeDecodeError):
        return {}


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return ""
    price = rate.price
    connect = f" + {format_money(price.connect_micros)} a call" if price.connect_micros else ""
    minimum = f", at least {price.minimum_s} s" if price.minimum_s else ""
    return (
        f"{rate.zone}, {format_money(price.rate_micros)} a minute{connect}, {price.first_s}/{price.next_s} s{minimum}"
    )


# -- as it was written -----------------------------------------------------------------------------------------------


def _toml(data: bytes) -> _Table:
    return tomllib.loads(data.decode("utf-8-sig"))


def _table(value: object) -> _Table:
    return value if isinstance(value, dict) else {}


def _by_id(value: object) -> _Table:
    entries = value if isinstance(value, list) else []
    return {str(entry["id"]): entry for entry in entries if isinstance(entry, dict) and "id" in entry}


def _has_ids(value: object) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(one, BaseModel) and "id" in type(one).model_fields for one in value
    )


def _has_models(*values: tuple[object, ...]) -> bool:
    return any(isinstance(one, BaseModel) for side in values for one in side)


def _shown(value: object) -> str:
    """A value as TOML writes it, near enough, and not too long."""
    if value is None:
        return LEFT_OUT
    text = _written(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return HIDDEN if _SECRET.fullmatch(value) else f'"{value}"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_written(one)}" for key, one in value.items())
    return f"{value}"
