"""What commands and the admin API use to see and steer running nodes (I/O: the store).

    async with Control(url) as control:
        for node in await control.list_nodes(): …
        page = await control.list_calls(CallFilter(account="acme"), limit=50)
        await control.hang_up(page.calls[0].uid, by="ops", why="fraud")

Every method raises StoreUnavailable where the store does not answer: without it nothing is known of the nodes and
nothing can be asked, while their calls go on. Who may ask is not judged here: whoever can write the store can do all.
"""

import asyncio
import secrets
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import NamedTuple, Self, TypeVar

from edge.control.questions import (
    Ask,
    Bans,
    CallFilter,
    Done,
    Drain,
    Fault,
    HangUp,
    JournalEntry,
    LiftBan,
    ListBans,
    ListCalls,
    Outcome,
    Question,
    ShowCall,
    TracedMessage,
    TraceEnd,
    TraceLetter,
    TraceStart,
    TraceStop,
    TraceWanted,
    Undrain,
    read,
    read_answer,
    write,
)
from edge.control.records import FindRecords, FoundRecords
from edge.control.rows import CallDetail, Calls
from edge.control.snapshot import VERSION, Snapshot
from limits.keys import answer_box_key, records_box_key
from limits.mailboxes import MAX_WAIT_S, Mailboxes, box_of
from limits.nodes import NodeRegistry

ANSWER_S = 3.0
"""A node that has not answered by then is silent."""
MOST_QUESTIONS = 64
"""In the box of one node."""
RECORDS_S = 8.0
"""The same where it reads its log: it gives way to calls there."""
ALIVE_MS = 5_000
"""A node whose last heartbeat is older than this is not asked."""

TRACE_AT_ONCE = 200
UID_LENGTH = 32
SHORT_UID = 12

_T = TypeVar("_T")


class UnknownCall(Exception):
    """No node that answered holds this call."""

    def __init__(self, uid: str, silent: Iterable[str] = ()) -> None:
        self.uid = uid
        self.silent = tuple(silent)
        """Nodes that did not answer: one of them may hold it."""
        rest = f"; no answer from {', '.join(self.silent)}" if self.silent else ""
        super().__init__(f"no node has a running call {uid}: it has ended, or never was{rest}")


class AmbiguousCall(Exception):
    """Several calls have a uid that begins so."""

    def __init__(self, beginning: str, uids: Iterable[str]) -> None:
        self.uids = tuple(uids)
        super().__init__(f"{beginning} begins the uid of more than one call: {', '.join(self.uids)}")


class UnknownNode(Exception):
    """The store knows no such node, or it is gone."""

    def __init__(self, node: str, alive: Iterable[str]) -> None:
        self.node = node
        self.alive = tuple(alive)
        super().__init__(f"no node {node!r} is alive on this store; alive: {', '.join(self.alive) or 'none'}")


class NoAnswer(Exception):
    """A node lives and did not answer in time: it may have done what it was asked, or not."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self.nodes = tuple(nodes)
        super().__init__(f"no answer from {', '.join(self.nodes)} in {ANSWER_S:g} s: look before you ask again")


class NotDone(Exception):
    """The node said no."""

    def __init__(self, outcome: Outcome) -> None:
        self.node = outcome.node
        self.fault = outcome.fault
        super().__init__(f"node {outcome.node}: {_SENTENCES.get(outcome.fault, outcome.fault)} {outcome.text}".rstrip())


_SENTENCES: dict[str, str] = {
    Fault.ENDING: "the call is being ended already",
    Fault.STOPPING: "the node is stopping: it takes no attempts any more",
    Fault.TOO_MANY: "as many traces run there as it has at one time",
    Fault.UNREADABLE: "it does not know this question: it runs another version",
    Fault.INTERNAL: "a fault of its own; its log has it",
}


class NodeState(NamedTuple):
    """One node of the store."""

    name: str
    beat_ms: int
    """Since its last heartbeat."""
    snapshot: Snapshot | None
    """None: it shows nothing just now, or speaks another version."""

    @property
    def state(self) -> str:
        """`up`, `draining`, `stopping`, `silent` (no heartbeat lately: soon taken over) or `starting`."""
        if self.beat_ms > ALIVE_MS:
            return "silent"
        if self.snapshot is None:
            return "starting"
        return {"": "up", "operator": "draining"}.get(self.snapshot.draining, self.snapshot.draining)


class Journal(NamedTuple):
    """One change that an operator made."""

    at_ms: int
    """UTC, by the store's clock."""
    entry: JournalEntry


class RunningTrace(NamedTuple):
    """A trace that has begun."""

    name: str
    nodes: tuple[str, ...]
    """Where it runs: each says a last word."""
    missing: tuple[str, ...]
    """Nodes that live and do not take it."""


def nodes_of(name: str, alive: Iterable[str]) -> tuple[str, ...]:
    """The node of this name, or the workers of the edge that has it (`edge1`: `edge1.1`, `edge1.2` …); none: there is
    nobody. Pure."""
    found = tuple(alive)
    if name in found:
        return (name,)
    return tuple([one for one in found if one.rpartition(".")[0] == name and one.rpartition(".")[2].isdecimal()])


class Control:
    """Use as `async with Control(url) as control`."""

    def __init__(self, url: str) -> None:
        """Raises ValueError where the URL is not one (see `limits.address`)."""
        self._boxes = Mailboxes(url)
        self._registry = NodeRegistry(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._boxes.__aexit__(*reason)
        await self._registry.__aexit__(*reason)

    # -- looking ---------------------------------------------------------------------------------------------------

    async def list_nodes(self) -> tuple[NodeState, ...]:
        """Every node the store knows, by name; one that is gone stays for a day."""
        beat = await self._registry.beat("")
        return tuple([NodeState(name, age, await self.snapshot(name)) for name, age in sorted(beat.ages_ms.items())])

    async def snapshot(self, node: str) -> Snapshot | None:
        """What this node showed last; None where that is more than five seconds ago, or of another version."""
        data = await self._boxes.shown(node)
        if data is None:
            return None
        try:
            found = read(Snapshot, data)
        except ValueError:
            return None
        return found if found.v == VERSION else None

    async def list_calls(
        self, wanted: CallFilter | None = None, *, limit: int = 100, nodes: Iterable[str] | None = None
    ) -> Calls:
        """Running calls of every node (or of these), the newest first; `limit` at most `MAX_LISTED`. A node that does
        not answer is named in `silent`."""
        chosen = tuple(nodes) if nodes is not None else await self._alive()
        answers, silent = await self._ask(Calls, chosen, ListCalls(wanted or CallFilter(), limit))
        parts = [found for _, found in answers if found is not None]
        rows = sorted([row for part in parts for row in part.calls], key=lambda row: -row.received_ms)
        more = len(rows) > limit or any(part.more for part in parts)
        return Calls(tuple(rows[:limit]), more, sum(part.held for part in parts), silent)

    async def whole_uid(self, beginning: str) -> str:
        """The uid of the one call whose uid begins so (a list shows `SHORT_UID` characters of it). Raises UnknownCall,
        AmbiguousCall."""
        if len(beginning) >= UID_LENGTH:
            return beginning
        found = await self.list_calls(CallFilter(uid=beginning), limit=3)
        if not found.calls:
            raise UnknownCall(beginning, found.silent)
        if len(found.calls) > 1:
            raise AmbiguousCall(beginning, [row.uid for row in found.calls])
        return found.calls[0].uid

    async def show_call(self, uid: str) -> CallDetail:
        """One running call. Raises UnknownCall; ValueError where that is no uid."""
        answers, silent = await self._ask(CallDetail, await self._alive(), ShowCall(uid))
        for _, found in answers:
            if found is not None:
                return found
        raise UnknownCall(uid, silent)

    async def journal(self, *, last: int = 100) -> tuple[Journal, ...]:
        """What operators did to nodes and calls, the newest first."""
        found = []
        for entry in await self._boxes.entries(last=last):
            try:
                found.append(Journal(entry.at_ms, read(JournalEntry, entry.data)))
            except ValueError:
                continue  # of a later version
        return tuple(found)

    # -- changing --------------------------------------------------------------------------------------------------

    async def hang_up(self, uid: str, *, by: str, why: str) -> Done:
        """End one call, whatever it is doing: BYE to both sides (or CANCEL, and 503 to its caller); its record says
        `operator`, and `why` as the release reason. Raises UnknownCall, NotDone; ValueError where that is no uid."""
        answers, silent = await self._ask(Done, await self._alive(), HangUp(uid), by=by, why=why)
        for outcome, found in answers:
            if found is not None:
                return found
            if outcome.fault != Fault.UNKNOWN_CALL:
                raise NotDone(outcome)
        raise UnknownCall(uid, silent)

    async def drain(self, node: str, *, by: str, why: str = "") -> Done:
        """This node takes no new attempts (its callers get 503, its OPTIONS too); running calls go on. It lasts until
        `undrain` or a restart. Raises UnknownNode, NoAnswer, NotDone."""
        return await self._change(node, Drain(), by, why)

    async def undrain(self, node: str, *, by: str, why: str = "") -> Done:
        """It takes attempts again. Raises UnknownNode, NoAnswer, NotDone."""
        return await self._change(node, Undrain(), by, why)

    async def list_bans(self) -> Bans:
        """Sources that any node does not hear just now, by source; a node that does not answer is named in `silent`."""
        answers, silent = await self._ask(Bans, await self._alive(), ListBans())
        rows = [row for _, found in answers if found is not None for row in found.bans]
        return Bans(tuple(sorted(rows, key=lambda row: (row.source, row.node))), silent)

    async def lift_ban(self, source: str, *, by: str, why: str = "") -> tuple[str, ...]:
        """Every node hears this source again. Returns the nodes that did not. Raises NoAnswer where one that lives gave
        no answer, NotDone; ValueError for what is no address."""
        try:
            ip_address(source.removesuffix("/64"))
        except ValueError:
            raise ValueError(f"source {source!r}: expected an address, or the /64 of an IPv6 one") from None
        answers, silent = await self._ask(Done, await self._alive(), LiftBan(source), by=by, why=why)
        if silent:
            raise NoAnswer(silent)
        for outcome, found in answers:
            if found is None:
                raise NotDone(outcome)
        return tuple(sorted([outcome.node for outcome, found in answers if found is not None and found.changed]))

    # -- tracing -----------------------------------------------------------------------------------------------

    async def trace_start(
        self, wanted: TraceWanted, *, seconds: int = 300, messages: int = 1_000, by: str, why: str = ""
    ) -> "RunningTrace":
        """Have every node copy these SIP messages, for a time and up to a number on each. Fetch them by `trace_read`: a
        copy waits half a minute. Raises ValueError where nothing is wanted or the source is no network; NotDone where
        no node takes it."""
        if wanted == TraceWanted():
            raise ValueError("a trace needs an account, a number, a call or a source")
        if wanted.source:
            ip_network(wanted.source, strict=False)
        name = secrets.token_hex(16)
        nodes = await self._alive()
        answers, silent = await self._ask(Done, nodes, TraceStart(name, wanted, seconds, messages), by=by, why=why)
        running = tuple(sorted([outcome.node for outcome, found in answers if found is not None]))
        if not running:
            raise NotDone(answers[0][0]) if answers else NoAnswer(silent or ("any node",))
        return RunningTrace(name, running, tuple(sorted({*silent, *nodes} - {*running})))

    async def trace_read(self, trace: str, *, wait_s: float = 1.0) -> list[TracedMessage | TraceEnd]:
        """The copies that have come since, in the order of their instants; none where none came in this time."""
        said = []
        for letter in await self._boxes.take(answer_box_key(trace), wait_s=wait_s, most=TRACE_AT_ONCE):
            try:
                said.append(read(TraceLetter, letter.data).said)
            except ValueError:
                continue  # of a later version
        ends = [one for one in said if isinstance(one, TraceEnd)]
        copies = [one for one in said if isinstance(one, TracedMessage)]
        return [*sorted(copies, key=lambda copy: copy.at_us), *ends]

    async def trace_stop(self, trace: str, *, by: str, why: str = "") -> None:
        """End it on every node; each says its last word (`TraceEnd`) into the box."""
        await self._ask(Done, await self._alive(), TraceStop(trace), by=by, why=why)

    # -- records ---------------------------------------------------------------------------------------------------

    async def names(self) -> dict[str, bool]:
        """Every node that the store has heard of within a day: does it live?"""
        beat = await self._registry.beat("")
        return {name: age <= ALIVE_MS for name, age in sorted(beat.ages_ms.items())}

    async def find_records(self, node: str, ask: FindRecords) -> FoundRecords | None:
        """A page out of this node's log; None: it gave no answer. Raises ValueError for what no node would
        understand."""
        letter = write(ask)
        read(FindRecords, letter)
        answers = await self._post(FoundRecords, ask.id, letter, {node: records_box_key(node)}, within_s=RECORDS_S)
        return answers[0][1] if answers else None

    # -- asking ----------------------------------------------------------------------------------------------------

    async def _alive(self) -> tuple[str, ...]:
        beat = await self._registry.beat("")
        return tuple(sorted([name for name, age in beat.ages_ms.items() if age <= ALIVE_MS]))

    async def _change(self, node: str, ask: Ask, by: str, why: str) -> Done:
        alive = await self._alive()
        nodes = nodes_of(node, alive)
        if not nodes:
            raise UnknownNode(node, alive)
        answers, silent = await self._ask(Done, nodes, ask, by=by, why=why)
        if silent:
            raise NoAnswer(silent)
        done = []
        for outcome, found in answers:
            if found is None:
                raise NotDone(outcome)
            done.append(found)
        return Done(sum([one.calls for one in done]), any([one.changed for one in done]))

    async def _ask(
        self, kind: type[_T], nodes: tuple[str, ...], ask: Ask, *, by: str = "", why: str = ""
    ) -> tuple[list[tuple[Outcome, _T | None]], tuple[str, ...]]:
        """The answers of these nodes, and the names of those that gave none. Raises ValueError for what no node would
        understand."""
        question = Question(secrets.token_hex(16), ask, by, why)
        letter = write(question)
        read(Question, letter)  # the bounds that the node holds it to
        boxes = {node: box_of(node) for node in nodes}
        answers = await self._post(kind, question.id, letter, boxes, within_s=ANSWER_S)
        return answers, tuple(sorted({*nodes} - {outcome.node for outcome, _ in answers}))

    async def _post(
        self, kind: type[_T], name: str, letter: bytes, boxes: Mapping[str, str], *, within_s: float
    ) -> list[tuple[Outcome, _T | None]]:
        """What comes into the box `name` in this time, one answer of each node. `boxes`: where each is written to."""
        life_ms = round(within_s * 1_000)
        for box in boxes.values():
            await self._boxes.post(box, [letter], most=MOST_QUESTIONS, life_ms=life_ms)
        waiting = set(boxes)
        answers: list[tuple[Outcome, _T | None]] = []
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        box = answer_box_key(name)
        while waiting and (left := until - loop.time()) > 0:
            # Redis takes no time-out below a millisecond for one.
            for answer in await self._boxes.take(box, wait_s=max(0.01, min(left, MAX_WAIT_S)), most=len(waiting)):
                try:
                    outcome, found = read_answer(kind, answer.data)
                except ValueError:
                    continue  # nobody we asked would say that
                if outcome.node in waiting:
                    waiting.discard(outcome.node)
                    answers.append((outcome, found))
        return answers
