"""Does a record stand? Of several records of one call that one does which is settled first in the store (R14).

Two nodes may close one call: one has written its record and cannot reach the store, the other takes the call over. The
store judges: each settlement names its record, and whoever comes second is told which one stands. A record that lost is
void: it is never delivered. Files are written off the event loop (I/O); the rest is counting.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from edge.cdr import chain, settled
from edge.cdr.chain import Kind, Link
from edge.cdr.closing import stamp
from edge.cdr.settled import Settled
from edge.proxy.facts import Fact
from limits import model
from limits.model import Outcome, Settle, Unavailable, Verb

SAVE_S: Final = 0.25
"""So long after an answer it is written down how far the log is settled, with what was answered meanwhile."""
REST_S: Final = 0.75
"""And so long it is not looked at again: with calls all the time a record waits up to a second for its delivery."""


class Submits(Protocol):
    """What is needed of a limiter."""

    def submit(self, verb: Settle) -> None: ...
    def flush(self) -> None: ...


class _Owed:
    """A record whose settlement has not been answered."""

    __slots__ = ("account", "by", "followers", "seq", "uid")

    def __init__(self, seq: int, uid: str, account: str, by: str) -> None:
        self.seq = seq
        self.uid = uid
        self.account = account
        self.by = by
        self.followers: tuple[str, ...] = ()
        """Others that charge the call: its group."""


class Verdicts:
    """Of one log. For each turn: `written`, `signed`, `over`; then `heard` or `final` for each settlement."""

    __slots__ = (
        "_dirty", "_fresh", "_last", "_limiter", "_node", "_open", "_saved", "_tell", "_void", "_voided", "directory",
    )  # fmt: skip

    def __init__(
        self, directory: Path, *, node: str, settled_to: int, last_seq: int, tell: Callable[[Fact], None]
    ) -> None:
        """Up to `settled_to` the log is known to be settled, `last_seq` is the last number in it. Raises OSError."""
        self.directory = directory
        self._node = node
        self._tell = tell
        self._limiter: Submits | None = None
        self._fresh: dict[str, _Owed] = {}
        """uid -> record, of those written in this turn."""
        self._open: dict[str, _Owed] = {}
        """Name of the record -> it, in the order of their numbers."""
        self._void: dict[str, Link] = {}
        """Lost, and not written down yet; these are in `_open` too."""
        self._voided = set(chain.load(directory).void())
        """Numbers of those that are written down."""
        self._last = last_seq
        self._saved = Settled(min(settled_to, last_seq), len(self._voided))
        self._dirty = asyncio.Event()
        settled.write(directory, self._saved)

    @property
    def settled_to(self) -> int:
        """How far the log is settled, as it is written down."""
        return self._saved.seq

    @property
    def unsettled(self) -> int:
        """Records that wait for the answer to their settlement."""
        return len(self._open)

    @property
    def void(self) -> int:
        """Records of this log that are void."""
        return self._saved.void

    def join(self, limiter: Submits) -> None:
        """Where settlements go."""
        self._limiter = limiter

    # -- one turn --------------------------------------------------------------------------------------------------

    def written(self, seq: int, uid: str, account: str, *, node: str = "") -> None:
        """This record is in the log. `node`: of whom, where that is not this one as it is called now."""
        self._fresh[uid] = _Owed(seq, uid, account, f"{node or self._node}/{seq}")
        self._last = max(self._last, seq)

    def unsettled_to(self, seq: int) -> None:
        """Records up to this one are in the log, and there is nothing to settle about them."""
        self._last = max(self._last, seq)
        self._dirty.set()

    def signed(self, settle: Settle) -> Settle:
        """The settlement with the name of the record that it goes with, if there is one in this turn."""
        owed = self._fresh.get(settle.uid)
        if owed is None:
            return settle
        if settle.account == owed.account:
            self._open[owed.by] = owed
        elif settle.price is not None:
            owed.followers += (settle.account,)
        return settle.signed(owed.by)

    def over(self) -> None:
        """Every settlement of this turn is submitted: a record that has none is settled as it is."""
        if self._fresh:
            self._fresh.clear()
            self._dirty.set()

    # -- answers ---------------------------------------------------------------------------------------------------

    def heard(self, verb: Verb, outcome: Outcome) -> None:
        """An answer to the one who asked; Unavailable: there will be another word."""
        if type(verb) is Settle and type(outcome) is not Unavailable:
            self.final(verb, outcome)

    def final(self, verb: Verb, outcome: Outcome) -> None:
        """The last word on a settlement. Unavailable: there will be none, so the record stands."""
        if type(verb) is not Settle:
            return
        owed = self._open.get(verb.by)
        if owed is None or verb.account != owed.account or verb.by in self._void:
            return
        if type(outcome) is model.Settled and outcome.by:
            self._lost(owed, verb, outcome)
        else:
            del self._open[verb.by]
        self._dirty.set()

    def _lost(self, owed: _Owed, verb: Settle, outcome: model.Settled) -> None:
        rule = f"settled by {outcome.by}"
        self._void[owed.by] = Link(Kind.VOID, "", owed.seq, stamp(), was=owed.uid, rule=rule)
        told: dict[str, str | int | float] = {
            "call_uid": owed.uid, "account": owed.account, "seq": owed.seq, "by": outcome.by,
            "charged_micros": outcome.charged_micros,
        }  # fmt: skip
        self._tell(Fact("cdr.void", told))
        if self._limiter is None:
            return
        for holder in owed.followers:
            # Ours may have come first there: what the record that stands was charged takes its place.
            stands = outcome.charged_micros
            self._limiter.submit(Settle(holder, owed.uid, verb.outcome, 0, verb.price, by=outcome.by, charged=stands))
        self._limiter.flush()

    # -- what is written down --------------------------------------------------------------------------------------

    async def run(self, backlog: Callable[[], int]) -> None:
        """Writes down how far the log is settled, until cancelled. `backlog`: lines that wait for the disk: while there
        are any, nothing of this is on it either."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(SAVE_S)
            if not backlog():
                await self.save()
                await asyncio.sleep(REST_S)

    async def save(self) -> None:
        """Once, now. A disk that refuses is asked again later: what is not written down is not delivered."""
        self._dirty.clear()
        links = dict(self._void)
        waiting = next((owed.seq for by, owed in self._open.items() if by not in links), self._last + 1)
        fresh = [link for link in links.values() if link.first_seq not in self._voided]
        found = Settled(max(self._saved.seq, waiting - 1), len(self._voided) + len(fresh))
        try:
            if found != self._saved:
                await asyncio.shield(asyncio.to_thread(_save, self.directory, fresh, found))
        except OSError:
            self._dirty.set()
            return
        self._saved = found
        self._voided.update(link.first_seq for link in fresh)
        for by in links:
            del self._open[by], self._void[by]


def _save(directory: Path, links: list[Link], found: Settled) -> None:
    """First what is void, then how far that is known: nothing is delivered before it is known to stand."""
    if links:
        chain.append(directory, links)
    settled.write(directory, found)
