"""Which header field stands on which line: found once for each *layout*, the sequence of header names as printed.

Standard library only. The same peer sends its header fields in the same order, call after call. So the index of one
layout, with the checks for missing and repeated fields already made (RFC 3261 §8.1.1, §20), is kept, and a message
needs one comparison of its line starts. The comparison includes each name's colon, hence it is exact: a line that
starts with `To:` is a To line and nothing else. An edit of ours leads from one layout to another, and these steps are
kept too, so that an edited message has a true index at no cost. All stores are bounded.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from edge.sip.grammar import HEADER_NAME, canonical

MAX_LAYOUTS: Final = 512
"""Layouts kept, and likewise guesses. A busy edge sees some twenty per peer."""

MAX_LAYOUT_BYTES: Final = 1024
"""Names of a layout in all; longer ones are indexed each time, so that the store is bounded in bytes too."""

MAX_GUESSES: Final = 8
"""Layouts tried for one guess before the complete road."""

MAX_STEPS: Final = 2048
"""Edits remembered. A layout that passes through takes some six."""

REQUIRED: Final = (b"via", b"from", b"to", b"call-id", b"cseq")
"""§8.1.1, but Max-Forwards: RFC 2543 had none, and §16.3 lets it pass."""

SINGLE: Final = (b"call-id", b"cseq", b"from", b"to", b"max-forwards", b"content-length")
"""Fields that stand once or never. Two of them are an attack or a defect: the next hop may read the other one."""

PLAIN: Final = frozenset((*REQUIRED, b"max-forwards", b"route"))
OPENING: Final = frozenset((*REQUIRED, b"max-forwards", b"contact"))
READ_FURTHER: Final = frozenset((b"record-route", b"proxy-require", b"max-breadth", b"session-expires"))

_SHOWN: Final = {b"via": "Via", b"from": "From", b"to": "To", b"call-id": "Call-ID", b"cseq": "CSeq",
          b"max-forwards": "Max-Forwards", b"content-length": "Content-Length"}  # fmt: skip

Index = Mapping[bytes, tuple[int, ...]]
"""Canonical name → positions among the header lines."""


_NOWHERE: Final = (-1, 0)


class Hop(NamedTuple):
    """Where our lines go in a request that leaves: Record-Route on top, Max-Breadth at the end, Via above the first."""

    after: "Layout | None"
    """The layout then; None: this one has no Max-Forwards, or some of those lines already."""
    via_at: int = 0
    hops_at: int = 0


class Layout:
    """The index of all messages whose header lines carry these names in this order. Compared by identity."""

    __slots__ = (
        "answered", "answered_to", "any_of", "caller", "cseq_at", "fault", "first", "hop", "is_kept", "is_opening",
        "is_plain", "length_at", "names", "positions", "recipient", "starts", "via_at", "via_start",
    )  # fmt: skip

    def __init__(self, names: tuple[bytes, ...]) -> None:
        positions = _index(names)
        self.names = names
        """As printed, up to and with the colon; empty for a line that is no header field."""
        self.positions: Index = positions
        self.fault = _fault(positions)
        """Why no message of this layout is sound; empty if one may be."""
        self.starts = tuple([len(name) for name in names])
        """Where the value begins on each line."""
        self.first = {name: (found[0], self.starts[found[0]]) for name, found in positions.items()}
        """Canonical name: position of its first line, and where the value begins there."""
        self.via_at, self.via_start = self.first.get(b"via", _NOWHERE)
        self.caller, self.recipient = self.first.get(b"from"), self.first.get(b"to")
        """What is read of every message, as in `first`: that of the top Via, of From, of To."""
        self.cseq_at = self.first.get(b"cseq", _NOWHERE)[0]
        self.length_at = self.first.get(b"content-length", _NOWHERE)[0]
        """-1 if there is none."""
        self.answered = tuple(
            [at for name in (b"via", b"from", b"to", b"call-id", b"cseq") for at in positions.get(name, ())]
        )
        """Positions of the lines that go into a response as they are, in that order (§8.2.6.2)."""
        recipients = positions.get(b"to", ())
        self.answered_to = self.answered.index(recipients[0]) if len(recipients) == 1 else -1
        """Where To stands among them; -1 where there is not exactly one."""
        self.is_plain = (
            PLAIN <= positions.keys()
            and len(positions[b"via"]) == len(positions[b"route"]) == 1
            and b"contact" not in positions
            and positions.keys().isdisjoint(READ_FURTHER)
        )
        """Is there one Via line and one Route, and no other field that must be read before a request inside a dialog
        may go on (§16.3, §16.4)?"""
        self.is_opening = (
            OPENING <= positions.keys()
            and len(positions[b"via"]) == len(positions[b"contact"]) == 1
            and b"route" not in positions
            and positions.keys().isdisjoint(READ_FURTHER)
        )
        """The same of a request outside a dialog, with one Contact line and no Route."""
        self.any_of: dict[frozenset[bytes], bool] = {}
        """What was asked before: is any of these names there? As many as there are such questions in the code."""
        self.hop: Hop | None = None
        """Where a hop of ours goes (`hop_of`); None: not asked yet."""
        self.is_kept = sum(self.starts) <= MAX_LAYOUT_BYTES


def _index(names: tuple[bytes, ...]) -> dict[bytes, tuple[int, ...]]:
    positions: dict[bytes, list[int]] = {}
    for position, name in enumerate(names):
        if name:
            positions.setdefault(canonical(name[:-1].rstrip()), []).append(position)
    return {name: tuple(found) for name, found in positions.items()}


def _fault(positions: Index) -> str:
    for name in REQUIRED:
        if name not in positions:
            return f"no {_SHOWN[name]} header"
    for name in SINGLE:
        if len(positions.get(name, ())) > 1:
            return f"more than one {_SHOWN[name]} header"
    return ""


class Surveyed(NamedTuple):
    """Header lines read on the complete road."""

    rows: list[bytes]
    """Header lines, a folded one with its folds."""
    layout: Layout
    """Its positions leave out the lines that are no header field."""
    fault: str
    """The first line fault, or the layout's fault, or empty."""
    fault_at: int
    """The row of the line fault."""


_layouts: Final[dict[tuple[bytes, ...], Layout]] = {}
_guesses: Final[dict[tuple[bytes, int], tuple[Layout, ...]]] = {}
_steps: Final[dict[tuple[Layout, int, bytes], Layout]] = {}
"""(from, position, name inserted there): to. Without a name the line at the position has gone."""


def layout_of(names: tuple[bytes, ...]) -> Layout:
    """The layout with these printed names; an empty name marks a line to leave out."""
    layout = _layouts.get(names)
    if layout is None:
        layout = Layout(names)
        if layout.is_kept:
            if len(_layouts) >= MAX_LAYOUTS:
                _layouts.pop(next(iter(_layouts)))
            _layouts[names] = layout
    return layout


def with_line(layout: Layout, at: int, name: bytes) -> Layout:
    """The layout after a line has been inserted before this position. `name`: printed, with its colon."""
    step = (layout, at, name)
    return _steps.get(step) or _remember_step(step, (*layout.names[:at], name, *layout.names[at:]))


def without_line(layout: Layout, at: int) -> Layout:
    """The layout after the line at this position has gone."""
    step = (layout, at, b"")
    return _steps.get(step) or _remember_step(step, layout.names[:at] + layout.names[at + 1 :])


def hop_of(layout: Layout) -> Hop:
    """Kept with the layout."""
    names, hops, via = layout.positions.keys(), layout.first.get(b"max-forwards"), layout.first.get(b"via")
    if hops is None or via is None or b"record-route" in names or b"max-breadth" in names:
        found = Hop(None)
    else:
        after = with_line(with_line(layout, len(layout.names), b"Max-Breadth:"), 0, b"Record-Route:")
        found = Hop(with_line(after, via[0] + 1, b"Via:"), via[0], hops[0])
    layout.hop = found
    return found


def _remember_step(step: tuple[Layout, int, bytes], names: tuple[bytes, ...]) -> Layout:
    layout = layout_of(names)
    if step[0].is_kept and layout.is_kept:
        if len(_steps) >= MAX_STEPS:
            _steps.clear()
        _steps[step] = layout
    return layout


def guessed(word: bytes, lines: list[bytes]) -> Layout | None:
    """A known, sound layout that is exactly the one of these unfolded lines. `word`: method or status digits."""
    for layout in _guesses.get((word, len(lines)), ()):
        for at, name in enumerate(layout.names):
            if not lines[at].startswith(name):
                break
        else:
            return layout
    return None


def remember(word: bytes, layout: Layout) -> None:
    """Try this layout first from now on for messages of this method or status and as many lines."""
    if len(word) > 32 or layout.names not in _layouts:
        return
    key = (word, len(layout.names))
    known = _guesses.get(key, ())
    if not known and len(_guesses) >= MAX_LAYOUTS:
        _guesses.pop(next(iter(_guesses)))
    _guesses[key] = (layout, *[other for other in known if other is not layout][: MAX_GUESSES - 1])


def survey(lines: list[bytes]) -> Surveyed:
    """Header lines on the complete road: folds joined, each name read, faults found. Never raises."""
    rows: list[bytes] = []
    names: list[bytes] = []
    fault = ""
    fault_at = 0
    for line in _joined(lines):
        match = HEADER_NAME.match(line)
        name = b"" if match is None else match.group()
        if not name or _has_stray_bytes(line):
            if not fault:
                fault = _line_fault(line)
                fault_at = len(rows)
            name = b""
        rows.append(line)
        names.append(name)
    layout = layout_of(tuple(names))
    return Surveyed(rows, layout, fault or layout.fault, fault_at)


def _joined(lines: list[bytes]) -> list[bytes]:
    """Header lines with their continuation lines (§7.3.1), each with its inner CRLF."""
    rows: list[list[bytes]] = []
    for line in lines:
        if line[:1] in (b" ", b"\t") and rows:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [b"\r\n".join(row) for row in rows]


def _has_stray_bytes(row: bytes) -> bool:
    folds = row.count(b"\r\n")
    if row.count(b"\n") != folds or row.count(b"\r") != folds:
        return True
    return b"\0" in row and row.count(b"\0") != row.count(b"\\\0")


def _line_fault(row: bytes) -> str:
    if _has_stray_bytes(row):
        return "bare CR, LF or NUL in a header"
    if row[:1] in (b" ", b"\t"):
        return "continuation line without a header"
    if b":" not in row:
        return "no colon in a header line"
    return "bad header name"
