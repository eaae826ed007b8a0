"""What may be asked of a running node, what it answers, and both on the wire. Pure: standard library, orjson, pydantic.

A question is one JSON object. An answer is two lines: how it went, and what was found. Both sides are frozen
dataclasses, written by orjson and read back by pydantic, which holds every bound: what comes out of the store may have
been put there by anybody.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

import orjson
from pydantic import Field, TypeAdapter, ValidationError

MAX_QUESTION_BYTES = 8_192
MAX_ANSWER_BYTES = 4 << 20
MAX_LISTED = 1_000
"""Calls in one answer."""
MAX_TRACE_S = 3_600
MAX_TRACE_MESSAGES = 10_000

_T = TypeVar("_T")

Word = Annotated[str, Field(max_length=128)]
"""A name: of an account, a trunk, a state."""
Line = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Ident = Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$")]
"""Of a question, a trace, a call."""


class Fault(StrEnum):
    """Why a node did not do what was asked."""

    UNKNOWN_CALL = "unknown_call"
    """This node has no such call."""
    ENDING = "ending"
    """The call is being ended already."""
    STOPPING = "stopping"
    """The node is on its way out."""
    TOO_MANY = "too_many"
    """As many traces run as a node has at one time."""
    UNREADABLE = "unreadable"
    """The question makes no sense to this node: another version, or damage by hand."""
    INTERNAL = "internal"
    """A fault of ours; the node's log has it."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls. What is empty does not count; what is given must all be so."""

    account: Word = ""
    trunk: Word = ""
    """ID of its ingress or egress trunk."""
    number: Word = ""
    """Calling or called number, in any spelling: what ends in the same digits."""
    source: Word = ""
    """Address it came from, with or without the port."""
    call_id: Annotated[str, Field(max_length=1_000)] = ""
    """Its SIP Call-ID."""
    state: Word = ""
    """`setup`, `answered` … (`edge.proxy.call.CallState`)."""
    uid: Word = ""
    """Beginning of its uid."""


@dataclass(frozen=True, slots=True)
class ListCalls:
    """The calls this node holds; the newest first."""

    filter: CallFilter = field(default_factory=CallFilter)
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 100
    verb: Literal["list_calls"] = "list_calls"


@dataclass(frozen=True, slots=True)
class ShowCall:
    """All there is to know of one call."""

    uid: Ident
    verb: Literal["show_call"] = "show_call"


@dataclass(frozen=True, slots=True)
class HangUp:
    """End one call, whatever it is doing: BYE to both sides, or CANCEL and a final response."""

    uid: Ident
    verb: Literal["hang_up"] = "hang_up"


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no new attempts; running calls go on."""

    verb: Literal["drain"] = "drain"


@dataclass(frozen=True, slots=True)
class Undrain:
    """Take new attempts again."""

    verb: Literal["undrain"] = "undrain"


@dataclass(frozen=True, slots=True)
class TraceWanted:
    """Whose SIP messages. One of these at least is given; what is given must all be so."""

    account: Word = ""
    number: Word = ""
    """Calling or called number, in any spelling: what ends in the same digits."""
    call: Annotated[str, Field(max_length=1_000)] = ""
    """Uid or Call-ID of one call."""
    source: Word = ""
    """Address or network of a neighbour: everything to and from it, and its calls on their other side too."""


@dataclass(frozen=True, slots=True)
class TraceStart:
    """Copy these messages, for a time and up to a number, into the box `trace`."""

    trace: Ident
    """Name of the trace; the same one on every node, so that all write into one box."""
    wanted: TraceWanted
    seconds: Annotated[int, Field(ge=1, le=MAX_TRACE_S)] = 300
    messages: Annotated[int, Field(ge=1, le=MAX_TRACE_MESSAGES)] = 1_000
    verb: Literal["trace_start"] = "trace_start"


@dataclass(frozen=True, slots=True)
class TraceStop:
    """End that trace; it is no fault where it has ended."""

    trace: Ident
    verb: Literal["trace_stop"] = "trace_stop"


@dataclass(frozen=True, slots=True)
class ListBans:
    """Sources that this node does not hear just now."""

    verb: Literal["list_bans"] = "list_bans"


@dataclass(frozen=True, slots=True)
class LiftBan:
    """Hear this source again; what it has done is remembered. It is no fault where it is heard already."""

    source: Word
    """Address, or the /64 of an IPv6 one."""
    verb: Literal["lift_ban"] = "lift_ban"


Ask = ListCalls | ShowCall | HangUp | Drain | Undrain | TraceStart | TraceStop | ListBans | LiftBan
CHANGES = (HangUp, Drain, Undrain, TraceStart, TraceStop, LiftBan)
"""What is told, and entered in the journal."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks of a node."""

    id: Ident
    """Names the box its answers are put into; the same one again is answered once."""
    ask: Annotated[Ask, Field(discriminator="verb")]
    by: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    """Who."""
    why: Line = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: the first line of an answer."""

    node: Word
    fault: Annotated[str, Field(max_length=32)] = ""
    """Empty: it was done; else a word of `Fault`, or of a later version."""
    text: Annotated[str, Field(max_length=1_000)] = ""
    """A sentence about it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a change came to."""

    calls: int = 0
    """Calls concerned: those that go on while the node drains; 1 of a hang-up."""
    changed: bool = True
    """False: it was so before."""
    account: Word = ""
    """Of the call that was hung up."""


@dataclass(frozen=True, slots=True)
class BanRow:
    """One source that a node does not hear."""

    node: Word
    source: Word
    why: Word
    """`packets` (over its budget for long) or `scanner`."""
    left_s: int
    """It ends by itself in so many seconds."""
    times: int
    """So many times within the hour."""


@dataclass(frozen=True, slots=True)
class Bans:
    """Those of one node, or of all that answered."""

    bans: tuple[BanRow, ...]
    silent: tuple[Word, ...] = ()
    """Nodes that gave no answer."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """What an operator did, as the node tells it that did it."""

    node: Word
    verb: Word
    by: Word
    why: Line
    call_uid: Word = ""
    account: Word = ""
    fault: Word = ""
    """Empty: it was done."""
    wanted: TraceWanted | None = None
    """Of a trace: whose messages."""
    source: Word = ""
    """That is heard again."""


Address = tuple[Annotated[str, Field(max_length=64)], Annotated[int, Field(ge=0, le=65_535)]]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """One copy of a SIP message."""

    trace: Ident
    node: Word
    at_us: Annotated[int, Field(ge=0, lt=2**53)]
    """UTC, microseconds."""
    way: Annotated[str, Field(pattern="^[<>]$")]
    """`<` came in, `>` went out."""
    transport: Annotated[str, Field(max_length=8)]
    local: Address
    remote: Address
    text: Annotated[str, Field(max_length=65_535, pattern=r"^[\x00-\xff]*$")]
    """The message, a character for a byte (ISO 8859-1), without secrets."""
    kind: Literal["message"] = "message"

    @property
    def data(self) -> bytes:
        """The message."""
        return self.text.encode("latin-1")


@dataclass(frozen=True, slots=True)
class TraceEnd:
    """The last word of one node's trace."""

    trace: Ident
    node: Word
    why: Word
    """`time`, `messages`, `bytes`, `stopped` or `node_stops`."""
    messages: Annotated[int, Field(ge=0)]
    left_out: Annotated[int, Field(ge=0)]
    """Copies for which there was no room."""
    kind: Literal["end"] = "end"


@dataclass(frozen=True, slots=True)
class TraceLetter:
    """What is put into the box of a trace."""

    said: Annotated[TracedMessage | TraceEnd, Field(discriminator="kind")]


_readers: dict[type, TypeAdapter[object]] = {}
"""Of the few shapes there are: made when one is first read."""


def read(kind: type[_T], data: bytes, *, most: int = MAX_ANSWER_BYTES) -> _T:
    """What the other side wrote. Raises ValueError, one line, where it is too long or not that."""
    if len(data) > most:
        raise ValueError(f"{len(data)} bytes, expected at most {most}")
    reader = _readers.get(kind)
    if reader is None:
        reader = _readers[kind] = TypeAdapter(kind)
    try:
        found = reader.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or kind.__name__}: {first['msg']}") from None
    assert isinstance(found, kind)
    return found


def write(found: object) -> bytes:
    """A dataclass as one line of JSON."""
    return orjson.dumps(found)


def read_question(data: bytes) -> Question:
    """Raises ValueError."""
    return read(Question, data, most=MAX_QUESTION_BYTES)


def write_answer(outcome: Outcome, found: object) -> bytes:
    """Both lines. `found`: a dataclass; None: there is nothing."""
    return write(outcome) + b"\n" + write(found)


def read_answer(kind: type[_T], data: bytes) -> tuple[Outcome, _T | None]:
    """How it went, and what was found; None where it was a fault. Raises ValueError."""
    if len(data) > MAX_ANSWER_BYTES:
        raise ValueError(f"{len(data)} bytes, expected at most {MAX_ANSWER_BYTES}")
    head, _, body = data.partition(b"\n")
    outcome = read(Outcome, head)
    return outcome, None if outcome.fault else read(kind, body)
