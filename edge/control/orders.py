"""What a node does with a question: looks at its core, or gives it an input. No socket and no store; time is passed in.

Lists are made in slices, with a turn of the event loop between two: a call that arrives meanwhile does not wait.
"""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import NamedTuple

from edge.control.questions import (
    CHANGES,
    BanRow,
    Bans,
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
    TraceStart,
    TraceStop,
    Undrain,
)
from edge.control.rows import CallRow, Calls
from edge.control.running import detail_of, matches, row_of
from edge.control.tracing import Tap
from edge.proxy.core import ProxyCore
from edge.proxy.facts import Fact

SLICE = 500
"""Calls looked at in one turn of the loop: about a quarter of a millisecond."""


class Reply(NamedTuple):
    """What comes of a question."""

    outcome: Outcome
    found: object
    """A dataclass of `rows` or `questions`; None with a fault."""
    entry: JournalEntry | None
    """For the journal, of what changed something or was to."""


class Orders:
    """One for each process. `turn` empties the core's outbox."""

    def __init__(
        self,
        core: ProxyCore,
        tap: Tap,
        *,
        node: str,
        wall_offset: float,
        now: Callable[[], float],
        turn: Callable[[], None],
        tell: Callable[[Fact], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        """`wall_offset`: UTC seconds less monotonic seconds."""
        self._core = core
        self._tap = tap
        self._node = node
        self._wall_offset = wall_offset
        self._now = now
        self._turn = turn
        self._tell = tell
        self._is_stopping = is_stopping

    async def carry_out(self, question: Question) -> Reply:
        """Do what is asked. Never raises on what was asked."""
        ask = question.ask
        if isinstance(ask, ListCalls):
            return self._reply(question, await self._list(ask))
        if isinstance(ask, ShowCall):
            call = self._core.calls.get(ask.uid)
            if call is None:
                return self._fault(question, Fault.UNKNOWN_CALL)
            return self._reply(question, detail_of(call, self._node, self._wall_offset))
        if isinstance(ask, HangUp):
            return self._hang_up(question, ask.uid)
        if isinstance(ask, TraceStart):
            return self._trace(question, ask)
        if isinstance(ask, TraceStop):
            changed = self._tap.stop(ask.trace)
            if changed:
                self._tell(Fact("operator.trace_stopped", {"trace": ask.trace, **_who(question)}))
            return self._reply(question, Done(0, changed))
        if isinstance(ask, ListBans):
            return self._reply(question, self._bans())
        if isinstance(ask, LiftBan):
            return self._lift(question, ask.source)
        return self._drain(question)

    def _bans(self) -> Bans:
        now = self._now()
        found = self._core.sources.bans.all()
        rows = [BanRow(self._node, one.source, one.why, max(0, round(one.until - now)), one.times) for one in found]
        return Bans(tuple(rows))

    def _lift(self, question: Question, source: str) -> Reply:
        changed = self._core.sources.hear_again(source)
        if changed:
            self._turn()
            self._tell(Fact("operator.ban_lifted", {"source": source, **_who(question)}))
        return self._reply(question, Done(0, changed))

    async def _list(self, ask: ListCalls) -> Calls:
        live = self._core.calls.live()
        rows: list[CallRow] = []
        for first in range(len(live), 0, -SLICE):
            for call in reversed(live[max(0, first - SLICE) : first]):
                if matches(call, ask.filter):
                    if len(rows) == ask.limit:
                        return Calls(tuple(rows), True, len(live))
                    rows.append(row_of(call, self._node, self._wall_offset))
            await asyncio.sleep(0)
        return Calls(tuple(rows), False, len(live))

    def _hang_up(self, question: Question, uid: str) -> Reply:
        call = self._core.calls.get(uid)
        if call is None:
            return self._fault(question, Fault.UNKNOWN_CALL)
        account = call.facts.account
        if not self._core.hang_up(call, question.why, self._now()):
            return self._fault(question, Fault.ENDING, account=account, uid=uid)
        self._turn()
        self._tell(Fact("operator.hung_up", {"call_uid": uid, "account": account, **_who(question)}))
        return self._reply(question, Done(1, True, account), account=account, uid=uid)

    def _trace(self, question: Question, ask: TraceStart) -> Reply:
        try:
            fault = self._tap.start(ask, self._now())
        except ValueError as error:
            return Reply(Outcome(self._node, Fault.UNREADABLE, str(error)), None, None)
        if fault is not None:
            return self._fault(question, fault)
        wanted = {name: value for name, value in asdict(ask.wanted).items() if value}
        said = " ".join([f"{name}={value}" for name, value in wanted.items()])
        limits = {"seconds": ask.seconds, "messages": ask.messages}
        self._tell(Fact("operator.trace_started", {"trace": ask.trace, "wanted": said, **limits, **_who(question)}))
        return self._reply(question, Done())

    def _drain(self, question: Question) -> Reply:
        core, is_draining = self._core, isinstance(question.ask, Drain)
        if self._is_stopping() and isinstance(question.ask, Undrain):
            return self._fault(question, Fault.STOPPING)
        changed = core.is_draining != is_draining
        if is_draining:
            core.drain()
        else:
            core.undrain()
        calls = core.counters.calls_live
        if changed:
            name = "operator.drained" if is_draining else "operator.undrained"
            self._tell(Fact(name, {"calls": calls, **_who(question)}))
        return self._reply(question, Done(calls, changed))

    def _reply(self, question: Question, found: object, *, account: str = "", uid: str = "") -> Reply:
        return Reply(Outcome(self._node), found, self._entry(question, "", account, uid))

    def _fault(self, question: Question, fault: Fault, *, account: str = "", uid: str = "") -> Reply:
        # Who asks every node for a call is told by most of them that they have none: that is nothing for a journal.
        entry = None if fault is Fault.UNKNOWN_CALL else self._entry(question, fault, account, uid)
        return Reply(Outcome(self._node, fault), None, entry)

    def _entry(self, question: Question, fault: str, account: str, uid: str) -> JournalEntry | None:
        if not isinstance(question.ask, CHANGES):
            return None
        ask = question.ask
        wanted = ask.wanted if isinstance(ask, TraceStart) else None
        source = ask.source if isinstance(ask, LiftBan) else ""
        return JournalEntry(self._node, ask.verb, question.by, question.why, uid, account, fault, wanted, source)


def _who(question: Question) -> dict[str, str | int | float]:
    return {"by": question.by, "why": question.why}
