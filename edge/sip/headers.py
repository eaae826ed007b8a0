"""Message: the bytes that arrived, an index of their header lines, and queued edits (RFC 3261 §7.3).

Standard library only. Bytes we did not edit leave as they came: nothing is normalised, since signed headers, other
people's captures and half-read extensions all hang on them. Typed readings (`edge.sip.fields`) are made when asked
for and kept. `edge.sip.message` makes messages from datagrams.

How edits work: while edits queue up, every row keeps the position it had on arrival, so that the shared index stays
right. A line put above another is glued to that row, a removed row becomes empty, a new name waits in `_above` or at
the end. A name touched that way is *moved*; reading or editing a moved name settles the rows first.
"""

from __future__ import annotations

import re
from typing import Self

from edge.sip.errors import FieldError, LocalError
from edge.sip.fields import (
    MAX_LIST_VALUES,
    CSeq,
    NameAddr,
    Via,
    cut_first,
    parse_cseq,
    parse_name_addr,
    parse_via,
    split_list,
    unfold,
)
from edge.sip.grammar import LWS, canonical, is_clean, is_token
from edge.sip.layout import Index, index_of

MAX_FORWARDS_LIMIT = 255
"""RFC 3261 §20.22."""

_LINE_BREAK = re.compile(rb"\r\n(?![ \t])")
_BLANKS = b" \t\r\n"

_hops_seen: dict[bytes, int] = {}
_HOPS_SEEN_MAX = 256


class Message:
    """What a Request and a Response share. Names of header fields are canonical (`grammar.canonical`) to read by,
    in their printed form to insert."""

    __slots__ = (
        "_above",
        "_cseq",
        "_from",
        "_index",
        "_moved",
        "_rows",
        "_to",
        "_via",
        "_wire",
        "body",
        "data",
        "first",
    )

    def __init__(
        self, data: bytes, first: bytes, rows: list[bytes], body: bytes, index: Index, wire: bytes | None
    ) -> None:
        self.data = data
        """The datagram as it arrived."""
        self.first = first
        """The start line."""
        self.body = body
        self._rows = rows
        self._index = index
        self._wire = wire
        """What `render` answers as long as nothing is edited."""
        self._above: list[bytes] | None = None
        self._moved: set[bytes] | None = None
        self._via: Via | None = None
        self._cseq: CSeq | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None

    # Reading

    @property
    def lines(self) -> list[bytes]:
        """Header lines without their last CRLF; a folded one keeps its folds. Not to be changed by the reader."""
        if self._moved is not None:
            self._settle()
        return self._rows

    def header_lines(self, name: bytes) -> list[bytes]:
        """The whole lines of this name, as they came."""
        positions = self._positions(name)
        rows = self._rows
        return [rows[position] for position in positions]

    def values(self, name: bytes) -> list[bytes]:
        """Each line's value, unfolded and stripped; [] if absent."""
        positions = self._positions(name)
        rows = self._rows
        return [unfold(rows[position].partition(b":")[2]) for position in positions]

    def value(self, name: bytes) -> bytes | None:
        """The first line's value, unfolded and stripped; None if absent."""
        positions = self._positions(name)
        if not positions:
            return None
        value = self._rows[positions[0]].partition(b":")[2]
        return unfold(value) if b"\r\n" in value else value.strip(LWS)

    def list_values(self, name: bytes) -> list[bytes]:
        """The values of a comma list over all its lines. FieldError over MAX_LIST_VALUES of them."""
        values: list[bytes] = []
        for value in self.values(name):
            if b"," in value:
                values.extend(split_list(value, _shown(name)))
            else:
                values.append(value)
        if len(values) > MAX_LIST_VALUES:
            raise FieldError(_shown(name), f"more than {MAX_LIST_VALUES} values")
        return values

    def via(self) -> Via:
        """The top Via (§20.42)."""
        via = self._via
        if via is None:
            value = self.value(b"via")
            if value is None:
                raise FieldError("Via", "absent")
            via = self._via = parse_via(cut_first(value)[0].strip(LWS))
        return via

    def vias(self) -> list[Via]:
        """All of them, top first."""
        return [parse_via(value) for value in self.list_values(b"via")]

    def has_more_vias(self) -> bool:
        """Is there a Via below the top one?"""
        positions = self._positions(b"via")
        return len(positions) > 1 or (len(positions) == 1 and b"," in self._rows[positions[0]])

    def from_(self) -> NameAddr:
        """§20.20."""
        if self._from is None:
            self._from = self._address(b"from", "From")
        return self._from

    def to(self) -> NameAddr:
        """§20.39."""
        if self._to is None:
            self._to = self._address(b"to", "To")
        return self._to

    def call_id(self) -> bytes:
        """§20.8: compared byte for byte. Empty only in what `ParseError.salvage` holds."""
        return self.value(b"call-id") or b""

    def cseq(self) -> CSeq:
        """§20.16."""
        cseq = self._cseq
        if cseq is None:
            value = self.value(b"cseq")
            if value is None:
                raise FieldError("CSeq", "absent")
            cseq = self._cseq = parse_cseq(value)
        return cseq

    def max_forwards(self) -> int | None:
        """§20.22: 0 to 255; None if absent."""
        value = self.value(b"max-forwards")
        if value is None:
            return None
        hops = _hops_seen.get(value)
        if hops is not None:
            return hops
        if not value.isdigit() or len(value) > 10 or int(value) > MAX_FORWARDS_LIMIT:
            raise FieldError("Max-Forwards", f"not a number from 0 to {MAX_FORWARDS_LIMIT}")
        if len(_hops_seen) < _HOPS_SEEN_MAX:
            _hops_seen[value] = int(value)
        return int(value)

    def routes(self) -> list[NameAddr]:
        """§20.34."""
        return [parse_name_addr(value, "Route") for value in self.list_values(b"route")]

    def record_routes(self) -> list[NameAddr]:
        """§20.30."""
        return [parse_name_addr(value, "Record-Route") for value in self.list_values(b"record-route")]

    def contacts(self) -> list[NameAddr]:
        """All Contacts."""
        return [parse_name_addr(value, "Contact") for value in self.list_values(b"contact")]

    def contact(self) -> NameAddr | None:
        """The first Contact (§20.10)."""
        value = self.value(b"contact")
        return None if value is None else parse_name_addr(cut_first(value)[0].strip(LWS), "Contact")

    def _address(self, name: bytes, shown: str) -> NameAddr:
        value = self.value(name)
        if value is None:
            raise FieldError(shown, "absent")
        address = parse_name_addr(value, shown)
        if address.uri == b"*":
            raise FieldError(shown, "no URI")
        return address

    def _positions(self, name: bytes) -> tuple[int, ...]:
        if self._moved is not None and name in self._moved:
            self._settle()
        return self._index.get(name, ())

    # Editing

    def copy(self) -> Self:
        """A message of its own with the same bytes: edits of one never touch the other."""
        twin = self.__class__.__new__(self.__class__)
        self._fill(twin)
        return twin

    def _fill(self, twin: Message) -> None:
        twin.data = self.data
        twin.first = self.first
        twin.body = self.body
        twin._rows = self._rows.copy()
        twin._index = self._index
        twin._wire = self._wire
        twin._above = None if self._above is None else self._above.copy()
        twin._moved = None if self._moved is None else self._moved.copy()
        twin._via = self._via
        twin._cseq = self._cseq
        twin._from = self._from
        twin._to = self._to

    def prepend(self, header: bytes, value: bytes) -> None:
        """A new line above the first line of that name, else above all header lines."""
        name = canonical(header)
        line = header_line(header, value)
        positions = self._positions(name)
        if positions:
            at = positions[0]
            self._rows[at] = line + b"\r\n" + self._rows[at]
        elif self._above is None:
            self._above = [line]
        else:
            self._above.insert(0, line)
        self._touch(name)
        if name == b"via":
            # Read back at once: the client transaction needs its branch, and a slip of ours shows here.
            try:
                self._via = parse_via(cut_first(value)[0].strip(LWS))
            except FieldError as fault:
                raise LocalError(str(fault)) from fault

    def append(self, header: bytes, value: bytes) -> None:
        """A new line below all header lines."""
        name = canonical(header)
        line = header_line(header, value)
        self._rows.append(line)
        self._touch(name)

    def replace(self, name: bytes, value: bytes) -> None:
        """Another value for the only or first line of that name; the printed name and the space around it stay."""
        if not is_clean(value):
            raise LocalError("CR, LF or NUL in a header value")
        positions = self._positions(name)
        if not positions:
            raise LocalError(f"no {name.decode('latin-1')} header to replace")
        row = self._rows[positions[0]]
        printed, _, old = row.partition(b":")
        body = old.strip(_BLANKS)
        if body:
            start = len(row) - len(old.lstrip(_BLANKS))
            self._rows[positions[0]] = row[:start] + value + row[start + len(body) :]
        else:
            self._rows[positions[0]] = printed + b": " + value
        self._forget(name)

    def remove(self, name: bytes) -> None:
        """All lines of that name, if there are any."""
        positions = self._positions(name)
        if positions:
            rows = self._rows
            for position in positions:
                rows[position] = b""
            self._touch(name)

    def pop_first(self, name: bytes) -> bytes:
        """Takes the first *value* of that name off and returns it, unfolded. Other values keep their bytes; a line
        left without any goes. LocalError if there is none."""
        positions = self._positions(name)
        if not positions:
            raise LocalError(f"no {name.decode('latin-1')} header to pop")
        at = positions[0]
        row = self._rows[at]
        start = row.index(b":") + 1
        if b"," in row:
            value, rest = cut_first(row[start:])
        else:
            value, rest = row[start:], None
        if rest is None:
            self._rows[at] = b""
            self._touch(name)
        else:
            blanks = len(value) - len(value.lstrip(_BLANKS))
            self._rows[at] = row[: start + blanks] + rest.lstrip(_BLANKS)
            self._forget(name)
        return unfold(value)

    def render(self) -> bytes:
        """The bytes to send: those that arrived but for the edits (and without surplus bytes, §18.3)."""
        wire = self._wire
        if wire is None:
            rows = self._rows
            if b"" in rows:
                rows = [row for row in rows if row]
            if self._above:
                wire = b"\r\n".join((self.first, *self._above, *rows, b"", self.body))
            else:
                wire = b"\r\n".join((self.first, *rows, b"", self.body))
            self._wire = wire
        return wire

    def _touch(self, name: bytes) -> None:
        """Lines of this name moved: the index no longer tells the truth about it."""
        if self._moved is None:
            self._moved = {name}
        else:
            self._moved.add(name)
        self._forget(name)

    def _forget(self, name: bytes) -> None:
        self._wire = None
        if name == b"via":
            self._via = None
        elif name == b"cseq":
            self._cseq = None
        elif name == b"from":
            self._from = None
        elif name == b"to":
            self._to = None

    def _settle(self) -> None:
        """Rows and index anew, as if the message had arrived with its edits made."""
        rows: list[bytes] = self._above or []
        for row in self._rows:
            if b"\r\n" in row:
                rows.extend(_LINE_BREAK.split(row))
            elif row:
                rows.append(row)
        self._rows = rows
        self._index = index_of(rows)
        self._above = None
        self._moved = None


def _shown(name: bytes) -> str:
    return name.decode("latin-1").title()


_names_seen: set[bytes] = set()
_NAMES_SEEN_MAX = 256


def header_line(header: bytes, value: bytes) -> bytes:
    """A header line of ours, guarded: no value can smuggle in a second one."""
    if header not in _names_seen:
        if not is_token(header):
            raise LocalError("a header name is a token")
        if len(_names_seen) < _NAMES_SEEN_MAX:
            _names_seen.add(header)
    if not is_clean(value):
        raise LocalError("CR, LF or NUL in a header value")
    return header + b": " + value
