"""The watch over quality: looks at the rolling hour of whoever has calls, closes hours that are over. I/O, by the
store.

Every node runs one; of all of them one has the turn. A breach is moved from state to state by compare-and-set, so that
even two that look at once tell it and act on it once.
"""

import asyncio
from collections.abc import Callable

from edge.proxy.facts import Fact
from edge.quality import guard
from edge.quality.batches import ALL, minutes_bucket
from edge.quality.closing import HourCloser
from edge.quality.counts import JUDGED, Counts
from edge.quality.guard import Effect, Move, Standing, State
from edge.quality.hours import HOUR_S, hour_of
from edge.quality.idle import close_idle
from edge.quality.patience import AHEAD_S, NONE, Diary, patience
from edge.quality.restrict import restrict
from edge.quality.rules import Rule, badness, judge, samples
from edge.quality.terms import DOCUMENT, Terms, read_terms
from edge.quality.windows import Window, buckets_for, minutes_of, rolling
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.errors import SpoiltKey, StoreUnavailable, UnknownAccount
from limits.keys import TALLY_NEWS
from limits.ledger import Ledger
from limits.tallies import Sight, TallyStore

LOOK_S = 5.0
LIST_S = 60
"""Who has calls is told as they come; the lists of the hours are read for all others."""
AT_ONCE = 8
"""Holders that are read together: it keeps the store for less than a millisecond."""
TURN_MS = 4_500
IDLE_TURN_MS = 3_600_000
"""Accounts without a call are looked for once an hour."""


class QualityWatch:
    """One for each process."""

    def __init__(self, url: str, *, node: str, tell: Callable[[Fact], None]) -> None:
        self._url = url
        self._node = node
        self._tell = tell
        self.breaches: dict[str, int] = {}
        """rule -> breaches told by this process."""
        self.penalties: dict[str, int] = {}
        """kind -> entries made by this process."""
        self.hours_closed = 0
        self._diary = Diary()
        self._news = ""
        self._listed_s = 0
        self._written: str | None = None
        self._terms = self._judged_by = Terms()

    async def run(self) -> None:
        """Looks until cancelled; not while the store is away."""
        async with TallyStore(self._url) as tallies, Ledger(self._url) as ledger, AccountStore(self._url) as accounts:
            closer = HourCloser(tallies, ledger, self._tell)
            self.penalties = closer.entered
            while True:
                await asyncio.sleep(LOOK_S)
                try:
                    if await tallies.take_turn("quality", self._node, for_ms=TURN_MS):
                        await self.round(tallies, accounts, closer)
                except StoreUnavailable:
                    continue  # told elsewhere

    async def round(self, tallies: TallyStore, accounts: AccountStore, closer: HourCloser) -> None:
        """Once at everything. Raises StoreUnavailable."""
        now_s = await tallies.now_ms() // 1_000
        terms = await self._in_force(tallies)
        await self.look_at_all(tallies, accounts, terms, now_s)
        self.hours_closed += (await closer.close_due(terms, now_s)).hours
        if terms.billing.close_idle and await tallies.take_turn("idle", self._node, for_ms=IDLE_TURN_MS):
            for account in await close_idle(accounts, terms):
                self._tell(Fact("account.closed_idle", {"account": account, "months": terms.billing.idle_months}))

    async def _in_force(self, tallies: TallyStore) -> Terms:
        written = await tallies.document(DOCUMENT)
        if written != self._written:
            self._terms, self._written = read_terms(written), written
        return self._terms

    async def look_at_all(self, tallies: TallyStore, accounts: AccountStore, terms: Terms, now_s: int) -> None:
        """At whoever may have come to break a rule, or does. Raises StoreUnavailable."""
        due = await self._due(tallies, terms, now_s)
        for start in range(0, len(due), AT_ONCE):
            some = due[start : start + AT_ONCE]
            for holder, sight in zip(some, await self._see(tallies, some, now_s), strict=True):
                try:
                    await self._look(tallies, accounts, holder, sight, terms, now_s)
                except ValueError as fault:  # spoilt by hand: no other account notices
                    self._tell(Fact("quality.spoilt", {"account": holder, "why": str(fault)}))

    async def _due(self, tallies: TallyStore, terms: Terms, now_s: int) -> list[str]:
        diary = self._diary
        if terms != self._judged_by:
            diary.clear()
            self._judged_by = terms
        told = await self._heard(tallies)
        diary.heard(told)
        if not self._listed_s <= now_s < self._listed_s + LIST_S:
            hour = hour_of(now_s, terms.zone)
            diary.listed({*told, *await tallies.holders(hour), *await tallies.holders(hour - HOUR_S)})
            self._listed_s = now_s
        return sorted({*diary.due(now_s), *await tallies.watched()})

    async def _heard(self, tallies: TallyStore) -> dict[str, int]:
        """holder -> new records. Where the news were spoilt by hand, the lists of the hours and the minutes that pass
        say whom to look at."""
        try:
            self._news, told = await tallies.news(self._news)
        except SpoiltKey as fault:
            self._tell(Fact("quality.spoilt", {"account": "", "key": TALLY_NEWS, "why": str(fault)}))
            return {}
        return told

    async def look(self, tallies: TallyStore, accounts: AccountStore, holder: str, terms: Terms, now_s: int) -> None:
        """At one account or trunk, by each of its rules. Raises StoreUnavailable; ValueError where it is spoilt."""
        (sight,) = await self._see(tallies, [holder], now_s)
        await self._look(tallies, accounts, holder, sight, terms, now_s)

    async def _see(self, tallies: TallyStore, holders: list[str], now_s: int) -> list[Sight | ValueError]:
        buckets = buckets_for(now_s - HOUR_S, now_s + AHEAD_S)
        return await tallies.look_at(holders, [minutes_bucket(at) for at in buckets])

    async def _look(
        self,
        tallies: TallyStore,
        accounts: AccountStore,
        holder: str,
        sight: Sight | ValueError,
        terms: Terms,
        now_s: int,
    ) -> None:
        if isinstance(sight, ValueError):
            raise sight
        states = sight.states
        rules = {rule.id: rule for rule in terms.rules_for(holder)}
        hours = buckets_for(now_s - HOUR_S, now_s + AHEAD_S)
        minutes = minutes_of(zip(hours, sight.buckets, strict=True), ALL, first=JUDGED)
        windows: dict[int, Window] = {}
        # Whatever stops this look, there will be another one.
        self._diary.looked(holder, NONE)
        for rule in rules.values():
            text = states.get(rule.id, "")
            standing = Standing.from_text(text)
            since = standing.since_s if standing.state is State.PROBING else 0
            window = windows.get(since) or windows.setdefault(since, rolling(minutes, now_s, since_s=since))
            move = guard.look(
                rule, standing, judge(rule, window.counts), amount=samples(rule, window.counts), now_s=now_s
            )
            if move is None:
                continue
            if move.to.state is not State.NORMAL:
                await tallies.watch(holder, is_watched=True)
            if await tallies.move(holder, rule.id, expected=text, state=move.to.to_text()):
                states[rule.id] = move.to.to_text()
                await self._act(accounts, holder, rule, move, window)
        for name in states.keys() - rules.keys():  # the rule is gone
            await tallies.move(holder, name, expected=states[name], state="")
            states[name] = ""
        if states and not any(states.values()):
            await tallies.watch(holder, is_watched=False)
        if not any(states.values()):
            now = windows.get(0) or rolling(minutes, now_s)
            self._diary.looked(holder, patience(tuple(rules.values()), minutes, now))

    async def _act(self, accounts: AccountStore, holder: str, rule: Rule, move: Move, window: Window) -> None:
        for effect in move.effects:
            if effect is Effect.TELL_BREACH:
                self.breaches[rule.id] = self.breaches.get(rule.id, 0) + 1
                self._tell(Fact("quality.breach", _fields(holder, rule, window.counts)))
            elif effect is Effect.TELL_RECOVERED:
                self._tell(Fact("quality.recovered", _fields(holder, rule, window.counts)))
            elif effect is Effect.TELL_PROBING:
                self._tell(Fact("quality.half_open", {"account": holder, "rule": rule.id, "caps": rule.throttle_caps}))
            else:
                await self._restrict(accounts, holder, rule, move, half_open=effect is Effect.HALF_OPEN)

    async def _restrict(self, accounts: AccountStore, holder: str, rule: Rule, move: Move, *, half_open: bool) -> None:
        why = f"quality: {rule.id} {'half open' if half_open else 'breached'}"
        until_ms = move.to.until_s * 1_000
        try:
            is_done = await restrict(accounts, AccountId(holder), rule, half_open=half_open, until_ms=until_ms, why=why)
        except (UnknownAccount, ValueError) as fault:
            self._tell(Fact("quality.not_restricted", {"account": holder, "rule": rule.id, "why": str(fault)}))
            return
        if is_done:
            action = "throttle" if half_open else rule.action
            self._tell(
                Fact("quality.restricted", {"account": holder, "rule": rule.id, "action": action, "until_ms": until_ms})
            )


def _fields(holder: str, rule: Rule, counts: Counts) -> dict[str, str | int | float]:
    """What a line says of a sum."""
    value, amount = badness(rule, counts)
    unit = 1_000 if rule.metric == "acd" else 1
    return {
        "account": holder,
        "rule": rule.id,
        "metric": str(rule.metric),
        "value": round(value / unit / amount, 2) if amount else 0,
        "threshold": rule.threshold,
        "samples": amount,
    }
