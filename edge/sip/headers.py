"""Message: the bytes that arrived, an index of their header lines, and edits (RFC 3261 §7.3).

Standard library only. Bytes we did not edit leave as they came: nothing is normalised, since signed headers, other
people's captures and half-read extensions all hang on them. Typed readings (`edge.sip.fields`) are made when asked
for and kept.

How edits work: they are made at once on the list of lines. The index is shared by all messages of one layout; an edit
that adds or takes a line steps to the layout that the message has then (`edge.sip.layout`).
"""

from __future__ import annotations

from typing import Final

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
    remember_via,
    split_list,
    unfold,
)
from edge.sip.grammar import COMMA, CR, LF, LWS, NUL, TOKEN_BYTES, canonical, is_clean, is_token, value_on
from edge.sip.layout import Layout, hop_of, with_line, without_line

MAX_FORWARDS_LIMIT: Final = 255
"""RFC 3261 §20.22."""

_ON_TOP: Final = (0, 0)
_BLANKS: Final = b" \t\r\n"

_hops_seen: Final[dict[bytes, int]] = {}
_hops_spent: Final[dict[bytes, bytes]] = {}
_HOPS_SEEN_MAX: Final = 256
"""Of each. A full one forgets all: nobody fills it for good with lines that come no more."""


class Message:
    """What a Request and a Response share; they alone are made, and fill the slots in one go. Names of header fields
    are canonical (`grammar.canonical`) to read by, in their printed form to insert."""

    __slots__ = (
        "_call_id",
        "_cseq",
        "_from",
        "_rows",
        "_to",
        "_via",
        "_wire",
        "body",
        "data",
        "first",
        "layout",
    )

    data: bytes
    """The datagram as it arrived."""
    first: bytes
    """The start line."""
    body: bytes
    _rows: list[bytes]
    layout: Layout
    """Which header stands where; shared by all messages with the same names in the same order."""
    _wire: bytes | None
    """What `render` answers as long as nothing is edited."""
    _via: Via | None
    _cseq: CSeq | None
    _from: NameAddr | None
    _to: NameAddr | None
    _call_id: bytes | None

    # Reading

    @property
    def lines(self) -> list[bytes]:
        """Header lines without their last CRLF; a folded one keeps its folds. Not to be changed by the reader."""
        return self._rows

    def has(self, name: bytes) -> bool:
        """Is there a line of this name?"""
        return name in self.layout.positions

    def header_lines(self, name: bytes) -> list[bytes]:
        """The whole lines of this name, as they came."""
        rows = self._rows
        return [rows[at] for at in self.layout.positions.get(name, ())]

    def answered_lines(self) -> tuple[list[bytes], int]:
        """The whole lines that a response takes over (§8.2.6.2): Vias, From, To, Call-ID, CSeq; and where To stands
        among them, -1 where there is not exactly one."""
        layout = self.layout
        rows = self._rows
        return [rows[at] for at in layout.answered], layout.answered_to

    def values(self, name: bytes) -> list[bytes]:
        """Each line's value, unfolded and stripped; [] if absent."""
        layout = self.layout
        positions = layout.positions.get(name)
        if positions is None:
            return []
        rows, starts = self._rows, layout.starts
        if len(positions) == 1:
            at = positions[0]
            value = value_on(rows[at], starts[at])
            return [unfold(value) if CR in value else value]
        return [unfold(rows[at][starts[at] :]) for at in positions]

    def value(self, name: bytes) -> bytes | None:
        """The first line's value, unfolded and stripped; None if absent."""
        found = self.layout.first.get(name)
        if found is None:
            return None
        at, start = found
        value = value_on(self._rows[at], start)
        return unfold(value) if CR in value else value

    def has_any(self, names: frozenset[bytes]) -> bool:
        """Is any of these header fields there? A constant set: what was found is kept with the layout."""
        layout = self.layout
        found = layout.any_of.get(names)
        if found is None:
            found = layout.any_of[names] = not names.isdisjoint(layout.positions.keys())
        return found

    def list_values(self, name: bytes) -> list[bytes]:
        """The values of a comma list over all its lines. FieldError over MAX_LIST_VALUES of them."""
        positions = self.layout.positions.get(name)
        if positions is None:
            return []
        lines = self.values(name)
        if len(lines) == 1 and COMMA not in lines[0]:
            return lines
        values: list[bytes] = []
        for value in lines:
            if COMMA in value:
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
        positions = self.layout.positions.get(b"via", ())
        return len(positions) > 1 or (len(positions) == 1 and COMMA in self._rows[positions[0]])

    def from_(self) -> NameAddr:
        """§20.20."""
        address = self._from
        if address is None:
            address = self._from = self._address(self.layout.caller, "From")
        return address

    def to(self) -> NameAddr:
        """§20.39."""
        address = self._to
        if address is None:
            address = self._to = self._address(self.layout.recipient, "To")
        return address

    def call_id(self) -> bytes:
        """§20.8: compared byte for byte. Empty only in what `ParseError.salvage` holds."""
        call_id = self._call_id
        if call_id is None:
            call_id = self._call_id = self.value(b"call-id") or b""
        return call_id

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
        found = self.layout.first.get(b"max-forwards")
        if found is None:
            return None
        at, start = found
        line = self._rows[at]
        hops = _hops_seen.get(line)
        if hops is None:
            value = unfold(line[start:])
            if not value.isdigit() or len(value) > 10 or int(value) > MAX_FORWARDS_LIMIT:
                raise FieldError("Max-Forwards", f"not a number from 0 to {MAX_FORWARDS_LIMIT}")
            hops = int(value)
            if len(line) <= 40:
                if len(_hops_seen) >= _HOPS_SEEN_MAX:
                    _hops_seen.clear()
                _hops_seen[line] = hops
        return hops

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

    def _address(self, found: tuple[int, int] | None, shown: str) -> NameAddr:
        if found is None:
            raise FieldError(shown, "absent")
        at, start = found
        value = value_on(self._rows[at], start)
        address = parse_name_addr(unfold(value) if CR in value else value, shown)
        if address.uri == b"*":
            raise FieldError(shown, "no URI")
        return address

    # Editing

    def prepend(self, header: bytes, value: bytes) -> None:
        """A new line above the first line of that name, else above all header lines."""
        line = header_line(header, value)
        name, printed = _names_seen.get(header) or _read_name(header)
        layout = self.layout
        at, _ = layout.first.get(name, _ON_TOP)
        self._rows.insert(at, line)
        self.layout = with_line(layout, at, printed)
        if name in _TYPED:
            self._forget(name)
        self._wire = None
        if name == b"via":
            # Read back at once: the client transaction needs its branch, and a slip of ours shows here.
            try:
                self._via = parse_via((cut_first(value)[0] if COMMA in value else value).strip(LWS))
            except FieldError as fault:
                raise LocalError(str(fault)) from fault

    def push_via(self, sent_by: bytes, branch: bytes) -> None:
        """Our Via on top. `sent_by`: all of it before the branch; `branch`: with whatever parameters follow it."""
        if not branch or branch.lstrip(TOKEN_BYTES):
            self.prepend(b"Via", sent_by + branch)
            return
        layout = self.layout
        at, _ = layout.first.get(b"via", _ON_TOP)
        self._via = via = _via_of(sent_by, branch)
        self._rows.insert(at, b"Via: " + via.raw)
        self.layout = with_line(layout, at, b"Via:")
        self._wire = None

    def put_hop(self, route: bytes, sent_by: bytes, branch: bytes, last: bytes) -> bool:
        """All that a hop of ours does to a request (RFC 3261 §16.6), in one go: one less in Max-Forwards, this
        Record-Route line on top, our Via as `push_via` writes it, this Max-Breadth line at the end. False, and nothing
        is done: it is not the usual request, to be edited step by step."""
        after, via_at, hops_at = self.layout.hop or hop_of(self.layout)
        if after is None or not branch or branch.lstrip(TOKEN_BYTES):
            return False
        rows = self._rows
        line = _hops_spent.get(rows[hops_at])
        if line is None:
            return False
        self._via = via = _via_of(sent_by, branch)
        rows[hops_at] = line
        rows.insert(via_at, b"Via: " + via.raw)
        rows.insert(0, route)
        rows.append(last)
        self.layout = after
        self._wire = None
        return True

    def append(self, header: bytes, value: bytes) -> None:
        """A new line below all header lines."""
        line = header_line(header, value)
        name, printed = _names_seen.get(header) or _read_name(header)
        rows = self._rows
        self.layout = with_line(self.layout, len(rows), printed)
        rows.append(line)
        if name in _TYPED:
            self._forget(name)
        self._wire = None

    def add_line(self, printed: bytes, line: bytes) -> None:
        """As `append`, of a line of ours that is sound, and whose name is not read and kept. `printed`: the name with
        its colon."""
        rows = self._rows
        self.layout = with_line(self.layout, len(rows), printed)
        rows.append(line)
        self._wire = None

    def put_above(self, name: bytes, printed: bytes, line: bytes) -> None:
        """As `prepend`, of such a line."""
        layout = self.layout
        at, _ = layout.first.get(name, _ON_TOP)
        self._rows.insert(at, line)
        self.layout = with_line(layout, at, printed)
        self._wire = None

    def spend_hop(self) -> bool:
        """One hop less in Max-Forwards, where it stands and is more than 0. False: it does not stand there."""
        line = self.hop_less()
        if line is None:
            return False
        self._rows[self.layout.first[b"max-forwards"][0]] = line
        self._wire = None
        return True

    def hop_less(self) -> bytes | None:
        """The Max-Forwards line with one hop less; None: there is none."""
        found = self.layout.first.get(b"max-forwards")
        if found is None:
            return None
        at, start = found
        row = self._rows[at]
        line = _hops_spent.get(row)
        if line is None:
            line = _with_value(row, start, b"%d" % max(0, (self.max_forwards() or 0) - 1))
            if len(row) <= 40:
                if len(_hops_spent) >= _HOPS_SEEN_MAX:
                    _hops_spent.clear()
                _hops_spent[row] = line
        return line

    def replace(self, name: bytes, value: bytes) -> None:
        """Another value for the only or first line of that name; the printed name and the space around it stay."""
        if (LF in value or CR in value or NUL in value) and not is_clean(value):
            raise LocalError("CR, LF or NUL in a header value")
        found = self.layout.first.get(name)
        if found is None:
            raise LocalError(f"no {name.decode('latin-1')} header to replace")
        at, start = found
        self._rows[at] = _with_value(self._rows[at], start, value)
        if name in _TYPED:
            self._forget(name)
        self._wire = None

    def remove(self, name: bytes) -> None:
        """All lines of that name, if there are any."""
        positions = self.layout.positions.get(name)
        if positions is None:
            return
        for at in reversed(positions):
            del self._rows[at]
            self.layout = without_line(self.layout, at)
        if name in _TYPED:
            self._forget(name)
        self._wire = None

    def drop_lines(self, positions: tuple[int, ...]) -> None:
        """The lines at these positions, the last one first; none of them of a name whose reading is kept."""
        for at in positions:
            del self._rows[at]
            self.layout = without_line(self.layout, at)
        self._wire = None

    def put_line(self, at: int, line: bytes) -> None:
        """Another line of the same name in the place of this one, of a name whose reading is not kept."""
        if line.count(LF) != self._rows[at].count(LF) or NUL in line:
            raise LocalError("CR, LF or NUL in a header line")
        self._rows[at] = line
        self._wire = None

    def pop_first(self, name: bytes) -> bytes:
        """Takes the first *value* of that name off and returns it, unfolded. Other values keep their bytes; a line
        left without any goes. LocalError if there is none."""
        layout = self.layout
        found = layout.first.get(name)
        if found is None:
            raise LocalError(f"no {name.decode('latin-1')} header to pop")
        at, start = found
        rows = self._rows
        row = rows[at]
        value, rest = cut_first(row[start:]) if COMMA in row else (row[start:], None)
        if rest is None:
            del rows[at]
            self.layout = without_line(layout, at)
        else:
            blanks = len(value) - len(value.lstrip(_BLANKS))
            rows[at] = row[: start + blanks] + rest.lstrip(_BLANKS)
        if name in _TYPED:
            self._forget(name)
        self._wire = None
        return unfold(value) if CR in value else value.strip(LWS)

    def drop_via(self, *, is_last: bool) -> bool:
        """The top Via goes, the bytes of the others stay; False, and nothing is done, where none would be left that
        should be (`is_last`)."""
        layout = self.layout
        at, start = layout.via_at, layout.via_start
        rows = self._rows
        row = rows[at]
        value, rest = cut_first(row[start:]) if COMMA in row else (row, None)
        if rest is not None:
            blanks = len(value) - len(value.lstrip(_BLANKS))
            rows[at] = row[: start + blanks] + rest.lstrip(_BLANKS)
        elif is_last or len(layout.positions[b"via"]) > 1:
            del rows[at]
            self.layout = without_line(layout, at)
        else:
            return False
        self._via = self._wire = None
        return True

    def render(self) -> bytes:
        """The bytes to send: those that arrived but for the edits (and without surplus bytes, §18.3)."""
        wire = self._wire
        if wire is None:
            wire = self._wire = b"\r\n".join([self.first, *self._rows, b"", self.body])
        return wire

    def _forget(self, name: bytes) -> None:
        """What was read of this name is read anew."""
        if name == b"via":
            self._via = None
        elif name == b"cseq":
            self._cseq = None
        elif name == b"from":
            self._from = None
        elif name == b"to":
            self._to = None
        else:
            self._call_id = None


_TYPED: Final = frozenset((b"via", b"cseq", b"from", b"to", b"call-id"))
"""Names whose reading is kept."""


_sent_bys_read: Final[dict[bytes, tuple[bytes, bytes, int | None, bytes]]] = {}
"""Our own, as Vias begin with them: transport, host, port, and what stands before the branch. As many as listeners."""


def _via_of(sent_by: bytes, branch: bytes) -> Via:
    """Of this sent-by and a branch that is a token: as `parse_via` would read it back, at a fifth of the price."""
    transport, host, port, params = _sent_bys_read.get(sent_by) or _read_sent_by(sent_by)
    value = sent_by + branch
    via: Via = tuple.__new__(Via, (transport, host, port, branch, None, None, params + branch, value))
    remember_via(value, via)
    return via


def _read_sent_by(sent_by: bytes) -> tuple[bytes, bytes, int | None, bytes]:
    try:
        via = parse_via(sent_by + b"a")
    except FieldError as fault:
        raise LocalError(str(fault)) from fault
    if via.params != b";branch=a":
        raise LocalError("a branch follows the sent-by")
    read = via.transport, via.host, via.port, via.params[:-1]
    if len(_sent_bys_read) < _NAMES_SEEN_MAX:
        _sent_bys_read[sent_by] = read
    return read


def _with_value(row: bytes, start: int, value: bytes) -> bytes:
    """This line with another value; the printed name and the space around it stay."""
    old = row[start:].strip(_BLANKS)
    if not old:
        return row[:start] + b" " + value
    start = row.index(old, start)
    return row[:start] + value + row[start + len(old) :]


def _shown(name: bytes) -> str:
    return name.decode("latin-1").title()


_names_seen: Final[dict[bytes, tuple[bytes, bytes]]] = {}
"""Header names of ours: canonical, and printed with the colon."""
_NAMES_SEEN_MAX: Final = 256


def header_line(header: bytes, value: bytes) -> bytes:
    """A header line of ours, guarded: no value can smuggle in a second one."""
    if header not in _names_seen:
        _read_name(header)
    if (LF in value or CR in value or NUL in value) and not is_clean(value):
        raise LocalError("CR, LF or NUL in a header value")
    return header + b": " + value


def _read_name(header: bytes) -> tuple[bytes, bytes]:
    if not is_token(header):
        raise LocalError("a header name is a token")
    name = canonical(header), header + b":"
    if len(_names_seen) < _NAMES_SEEN_MAX:
        _names_seen[header] = name
    return name
