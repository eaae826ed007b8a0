"""The watch over alerts: what the nodes show and the store knows, against how each alert stands (I/O, by the store).

Every node runs one; of all of them one has the turn. A standing moves by compare-and-set together with what is told of
it: even two that look at once tell it once.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from edge.alerts import conditions
from edge.alerts.events import AlertEvent, event_of
from edge.alerts.kinds import Kind, Level
from edge.alerts.shape import Day, days_looked_at, of_shape
from edge.alerts.standing import Condition, Move, Standing, Told, look
from edge.config.alerts import AlertSettings
from edge.control.client import Control, NodeState
from edge.proxy.facts import Fact
from edge.quality.places import places_bucket
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.alerts import AlertStore
from limits.errors import StoreUnavailable
from limits.model import KINDS
from limits.tallies import TallyStore

LOOK_S = 5.0
TURN_MS = 4_500
SHAPED_AT_ONCE = 100
"""Accounts whose traffic is compared with that of the days before in one look, beside those that are told already."""
MAX_SHAPES = 20_000
"""Accounts whose past is kept in memory for the day."""
DAY_MS = 86_400_000
CREDIT_AT_ONCE = 500
"""Accounts whose credit is looked at in one look, beside those that are busy or told already; all in their turn."""


class AlertWatch:
    """One for each process."""

    def __init__(
        self,
        url: str,
        settings: AlertSettings,
        *,
        node: str,
        tell: Callable[[Fact], None],
        push: Callable[[AlertEvent], None],
    ) -> None:
        """`push` takes what is told while the store is away."""
        self._url = url
        self._settings = settings
        self._node = node
        self._tell = tell
        self._push = push
        self._next_account = ""
        self._next_shaped = ""
        self._store: Standing | None = None
        self._days: dict[str, tuple[int, Sequence[Day]]] = {}
        """account -> (day, the days before it), read once a day."""
        self._shaped: set[str] = set()
        """Accounts whose traffic the latest look has seen."""
        self.told: dict[str, int] = {}
        """kind -> alerts told by this process."""
        self.raised: dict[str, int] = dict.fromkeys(Kind, 0)
        """kind -> alerts of the store that stand."""

    async def run(self) -> None:
        """Looks until cancelled."""
        async with (
            AlertStore(self._url) as alerts,
            TallyStore(self._url) as tallies,
            AccountStore(self._url) as accounts,
            Control(self._url) as control,
        ):
            while True:
                await asyncio.sleep(LOOK_S)
                is_away = False
                try:
                    if await tallies.take_turn("alerts", self._node, for_ms=TURN_MS):
                        await self.look(alerts, tallies, accounts, control, now_ms=await tallies.now_ms())
                    self._count(await alerts.states())
                except StoreUnavailable:
                    is_away = True
                self.note_store(is_away=is_away, now_ms=_wall_ms())

    async def look(
        self, alerts: AlertStore, tallies: TallyStore, accounts: AccountStore, control: Control, *, now_ms: int
    ) -> None:
        """Once at everything. Raises StoreUnavailable."""
        texts = await alerts.states()
        standings = {key: one for key, text in texts.items() if (one := Standing.from_text(text)) is not None}
        for key in texts.keys() - standings.keys():
            await alerts.move(key, expected=texts[key], state="")  # spoilt by hand
        nodes = await control.list_nodes()
        seen = [*conditions.of_limits(nodes), *conditions.of_trunks(nodes)]
        seen += await self._quality(tallies)
        seen += await self._nodes(alerts, nodes, standings.values(), now_ms)
        seen += await self._credit(alerts, accounts, nodes, standings)
        seen += await self._shape(tallies, nodes, standings.values(), now_ms)
        await self._move_all(alerts, texts, standings, _worst(seen), nodes, now_ms)

    def note_store(self, *, is_away: bool, now_ms: int) -> None:
        """This node's own alert: it is told from here, since nothing can be written down."""
        text = f"node {self._node} cannot reach the store"
        seen = Condition(Kind.STORE, self._node, Level.CRITICAL, text) if is_away else None
        move = look(self._store, seen, now_ms=now_ms, remind_s=self._settings.remind_s)
        if move is None:
            return
        event = self._event(move, self._store, seen, f"{Kind.STORE}:{self._node}", now_ms)
        self._store = move.to
        if event is not None:
            self._push(event)
            self._tell_fact(event)

    async def _move_all(
        self,
        alerts: AlertStore,
        texts: Mapping[str, str],
        standings: Mapping[str, Standing],
        seen: Mapping[str, Condition],
        nodes: tuple[NodeState, ...],
        now_ms: int,
    ) -> None:
        for key in sorted({*standings, *seen}):
            standing, condition = standings.get(key), seen.get(key)
            if condition is None and standing is not None and not conditions.is_judged(standing, nodes):
                continue
            if condition is None and standing is not None and self._is_unseen(standing):
                continue
            move = look(standing, condition, now_ms=now_ms, remind_s=self._settings.remind_s)
            if move is None:
                continue
            event = self._event(move, standing, condition, key, now_ms)
            state = "" if move.to is None else move.to.to_text()
            text = "" if event is None else event.to_text()
            if await alerts.move(key, expected=texts.get(key, ""), state=state, event=text) and event is not None:
                self._tell_fact(event)

    def _event(
        self, move: Move, before: Standing | None, seen: Condition | None, key: str, now_ms: int
    ) -> AlertEvent | None:
        standing = move.to or before
        if move.told is None or standing is None:
            return None
        return event_of(move.told, standing, seen, key=key, node=self._node, now_ms=now_ms, id_=secrets.token_hex(12))

    def _tell_fact(self, event: AlertEvent) -> None:
        self.told[event.kind] = self.told.get(event.kind, 0) + 1
        name = "alerts.cleared" if event.event == Told.CLEARED else "alerts.raised"
        self._tell(Fact(name, {"alert": event.alert, "level": event.level, "text": event.text}))

    def _count(self, texts: Mapping[str, str]) -> None:
        counts = dict.fromkeys(Kind, 0)
        for text in texts.values():
            standing = Standing.from_text(text)
            if standing is not None and standing.told_ms:
                counts[standing.kind] += 1
        counts[Kind.STORE] = int(self._store is not None and self._store.told_ms > 0)
        self.raised = {str(kind): count for kind, count in counts.items()}

    # -- what is looked at -----------------------------------------------------------------------------------------

    async def _quality(self, tallies: TallyStore) -> list[Condition]:
        found = []
        for holder in await tallies.watched():
            found += conditions.of_quality(holder, await tallies.states(holder))
        return found

    async def _nodes(
        self, alerts: AlertStore, nodes: tuple[NodeState, ...], standings: Iterable[Standing], now_ms: int
    ) -> tuple[Condition, ...]:
        expected = conditions.of_nodes(nodes, await alerts.nodes(), standings, now_ms)
        for node, state in expected.changes:
            await alerts.set_node(node, state)
        return expected.gone

    async def _shape(
        self, tallies: TallyStore, nodes: tuple[NodeState, ...], standings: Iterable[Standing], now_ms: int
    ) -> list[Condition]:
        """Of accounts that are busy just now, in their turn, and of those that are told."""
        looked_at, day = days_looked_at(self._settings), now_ms // DAY_MS
        self._shaped = set()
        if not looked_at:
            return []
        told = {one.subject for one in standings if one.kind in (Kind.RISE, Kind.PLACE)}
        busy = sorted({use.account for node in nodes if node.snapshot is not None for use in node.snapshot.accounts})
        behind = [name for name in busy if name > self._next_shaped][:SHAPED_AT_ONCE]
        self._next_shaped = behind[-1] if len(behind) == SHAPED_AT_ONCE else ""
        found = []
        for account in sorted({*behind, *told}):
            known = self._days.get(account)
            buckets = [places_bucket(day - ago) for ago in range(looked_at + 1)]
            if known is None or known[0] != day:
                if len(self._days) >= MAX_SHAPES:
                    self._days.clear()
                known = self._days[account] = day, await tallies.read_many(account, buckets[1:])
            (today,) = await tallies.read_many(account, buckets[:1])
            self._shaped.add(account)
            found += of_shape(account, today, known[1], self._settings)
        return found

    def _is_unseen(self, standing: Standing) -> bool:
        """Could the latest look not have seen it?"""
        return standing.kind in (Kind.RISE, Kind.PLACE) and standing.subject not in self._shaped

    async def _credit(
        self,
        alerts: AlertStore,
        accounts: AccountStore,
        nodes: tuple[NodeState, ...],
        standings: Mapping[str, Standing],
    ) -> list[Condition]:
        own, default = await alerts.credit(), self._settings.credit_low
        if default is None and not own:
            return []
        stands = {one.subject for one in standings.values() if one.kind is Kind.CREDIT}
        names = await self._whose_credit(accounts, own, nodes, stands, all_=default is not None)
        usages, _ = await accounts.peek_many([AccountId(name) for name in sorted(names)])
        found = []
        for usage in usages:
            threshold = own.get(usage.account.id, default)
            if threshold is not None:
                condition = conditions.of_credit(usage, threshold, stands=usage.account.id in stands)
                found += [condition] if condition is not None else []
        return found

    async def _whose_credit(
        self,
        accounts: AccountStore,
        own: Mapping[str, int],
        nodes: tuple[NodeState, ...],
        stands: set[str],
        *,
        all_: bool,
    ) -> set[str]:
        """Accounts that are told already, those that are busy, and the next of the rest in their turn."""
        names = [name for name in (await accounts.holders() if all_ else sorted(own)) if _is_account(name)]
        busy = {use.account for node in nodes if node.snapshot is not None for use in node.snapshot.accounts}
        behind = [name for name in names if name > self._next_account][:CREDIT_AT_ONCE]
        self._next_account = behind[-1] if len(behind) == CREDIT_AT_ONCE else ""
        return {*behind, *stands, *(busy if all_ else busy & own.keys())}


def _worst(seen: Iterable[Condition]) -> dict[str, Condition]:
    """One of each alert: the worst."""
    found: dict[str, Condition] = {}
    for condition in seen:
        had = found.get(condition.key)
        if had is None or (condition.level is Level.CRITICAL and had.level is Level.WARNING):
            found[condition.key] = condition
    return found


def _is_account(name: str) -> bool:
    return not name.startswith(KINDS)


def _wall_ms() -> int:

    return int(time.time() * 1_000)
