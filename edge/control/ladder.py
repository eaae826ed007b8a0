"""Traced messages as a ladder in the terminal: the caller's side, the edge, the other side. Pure: lines of text.

    10:31:12.402 <  ── INVITE +33170000001 ───────▶│
    10:31:12.405 >                                 │── INVITE +33170000001 ───────▶

`<` came in, `>` went out. Whoever a call's first message came from, or went to, stands on the left.
"""

from collections import OrderedDict
from datetime import UTC, datetime

from edge.control.questions import TracedMessage, TraceEnd
from edge.sip.errors import FieldError, ParseError
from edge.sip.message import Request, Response, parse
from edge.terminal import cut

MOST_CALLS = 1_000
"""Calls whose sides are remembered."""
STAMP = 15
"""Columns of time and mark."""
LEAST_LANE = 16


class Ladder:
    """The messages of one trace, in their order; `width`: columns of the terminal. `plain`: no arrows but ASCII."""

    def __init__(self, *, width: int, plain: bool) -> None:
        self._lane = max(LEAST_LANE, (width - STAMP - 1) // 2)
        self._line, self._wall, self._right, self._left = "-|><" if plain else "─│▶◀"
        self._sides: OrderedDict[str, tuple[str, str]] = OrderedDict()
        """Call-ID -> (who stands on the left, who was last on the right)."""
        self._latest = ""

    def lines(self, message: TracedMessage) -> list[str]:
        """What to print for it: whose ladder goes on, where that changes, and its rung."""
        call_id, words = describe(message)
        remote = f"{message.remote[0]}:{message.remote[1]}"
        left, right = self._sides.pop(call_id, (remote, ""))
        is_left = remote == left
        is_new_side = not is_left and remote != right
        self._sides[call_id] = (left, right if is_left else remote)
        if len(self._sides) > MOST_CALLS:
            self._sides.popitem(last=False)
        lines = []
        if call_id != self._latest or is_new_side:
            self._latest = call_id
            lines += [
                "",
                *self._heading(call_id, left, "" if is_left and not right else self._sides[call_id][1], message),
            ]
        return [*lines, self._rung(message, words, is_left)]

    def _heading(self, call_id: str, left: str, right: str, message: TracedMessage) -> list[str]:
        named = f"Call-ID {call_id}" if call_id else "no call"
        lane = self._lane
        sides = cut(left, lane).ljust(lane) + self._wall + cut(right, lane).rjust(lane)
        return [
            cut(f"{'':<{STAMP}}{named}", STAMP + 2 * lane + 1),
            cut(message.node, STAMP - 1).ljust(STAMP) + sides.rstrip(),
        ]

    def _rung(self, message: TracedMessage, words: str, is_left: bool) -> str:
        at = datetime.fromtimestamp(message.at_us / 1e6, UTC).strftime("%H:%M:%S.%f")[:-3]
        goes_right = (message.way == "<") == is_left
        lane = self._lane
        text = cut(words, lane - 5)
        line = self._line
        if goes_right:
            rung = f"{line * 2} {text} ".ljust(lane - 1, line) + self._right
        else:
            rung = self._left + f" {text} {line * 2}".rjust(lane - 1, line)
        sides = rung + self._wall if is_left else " " * lane + self._wall + rung
        return f"{at} {message.way} {sides}"


def describe(message: TracedMessage) -> tuple[str, str]:
    """(Call-ID, a few words): method and user of a request, status and phrase of a response, with its method
    where that is not INVITE."""
    try:
        read = parse(message.data)
        call_id = read.call_id().decode("utf-8", "replace")
        method = read.cseq().method.decode("latin-1")
    except (ParseError, FieldError):
        return "", f"unreadable, {len(message.data)} bytes"
    if isinstance(read, Response):
        of = "" if method == "INVITE" else f" ({method})"
        return call_id, f"{read.status} {read.reason.decode('latin-1')}{of}"
    assert isinstance(read, Request)
    user = read.uri.decode("latin-1").partition(":")[2].partition(";")[0].partition("@")[0]
    return call_id, f"{method} {user}" if method == "INVITE" else method


def end_line(end: TraceEnd) -> str:
    """The last word of one node."""
    whys = {
        "time": "its time is over",
        "messages": "it has as many messages as were asked for",
        "bytes": "it has as many bytes as a trace may have",
        "stopped": "stopped",
        "node_stops": "the node stops",
    }
    left_out = f", {end.left_out} more were left out: there was no room for them" if end.left_out else ""
    return f"{end.node}: {end.messages} messages, {whys.get(end.why, end.why)}{left_out}"
