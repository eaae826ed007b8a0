"""What this node's seconds add up to: fed with ended attempts and facts, read once a second. Pure; time is passed in.

Nothing is counted on the way of an attempt: what arrived at an account in a second is what ended of it, and what it
holds more than before.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import Final, NamedTuple

from edge.control.snapshot import (
    ASR_MINUTES,
    HISTORY,
    MOST_ACCOUNTS,
    MOST_ALARMS,
    MOST_TRUNKS,
    VERSION,
    AccountUse,
    Alarm,
    Second,
    Snapshot,
    TrunkUse,
)
from edge.proxy.call import Call
from edge.proxy.core import ProxyCore
from edge.proxy.facts import CallFacts, Fact
from edge.proxy.trunk_health import SCALE
from edge.telemetry.sources import Sources
from edge.telemetry.totals import DECISION_BOUNDS_US
from limits.model import KINDS

ALARM_S: Final = 90.0
"""An alarm is told so long: `limit.near` is told again after 60 s where it is still so."""
_MONEY: Final = frozenset({"credit", "spend_cap"})
_HEALTH: Final = {number: health.value for health, number in SCALE.items()}


class Identity(NamedTuple):
    """What does not change while the process runs."""

    version: str
    listeners: tuple[str, ...]
    started_at: float
    wall_offset: float
    """UTC seconds less monotonic seconds."""


class Meter:
    """One for each process."""

    __slots__ = (
        "_alarms",
        "_attempts",
        "_decisions",
        "_ended",
        "_history",
        "_in_use",
        "_minutes",
        "_read_at",
        "_refused",
        "_refused_by_reason",
        "worst_lag_s",
    )

    def __init__(self, now: float) -> None:
        self._read_at = now
        self._ended: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        """account -> attempts ended, and refused, since the last reading. A policy bounds how many there are."""
        self._in_use: dict[str, int] = {}
        self._attempts = 0
        self._refused_by_reason: dict[str, int] = {}
        self._alarms: dict[tuple[str, str], tuple[int, int, int, float]] = {}
        self._minutes: deque[tuple[int, dict[str, list[int]]]] = deque(maxlen=ASR_MINUTES)
        """(minute, trunk -> [tried, answered])."""
        self._history: deque[Second] = deque(maxlen=HISTORY)
        self._decisions: deque[list[int]] = deque(maxlen=HISTORY + 1)
        self.worst_lag_s = 0.0
        """How late the loop was, at worst, since the last reading; the rim measures it."""

    # -- what happens ----------------------------------------------------------------------------------------------

    def add(self, facts: CallFacts, now: float) -> None:
        """One attempt has ended, or so many of a stranger."""
        account = facts.account
        self._ended[account] = self._ended.get(account, 0) + facts.attempts
        answered = facts.answered_at is not None
        if facts.candidates:
            self._tried(facts, answered, now)
        elif not answered and facts.status != 487:
            self._refused[account] = self._refused.get(account, 0) + facts.attempts
        if facts.reason in _MONEY:
            limit = facts.reason
            self._alarm(facts.limit_holder or account, limit, 100, facts.limit_in_use, facts.ceiling, now)

    def add_shed(self, account: str) -> None:
        """One attempt was refused at the door."""
        self._ended[account] = self._ended.get(account, 0) + 1
        self._refused[account] = self._refused.get(account, 0) + 1

    def heard(self, fact: Fact, now: float) -> None:
        """A fact was told; some are alarms."""
        if fact.name == "limit.near":
            percent, in_use, ceiling = (int(fact.fields[name]) for name in ("percent", "in_use", "ceiling"))
            self._alarm(str(fact.fields["account"]), str(fact.fields["limit"]), percent, in_use, ceiling, now)

    def _tried(self, facts: CallFacts, answered: bool, now: float) -> None:
        minute = int(now // 60)
        if not self._minutes or self._minutes[-1][0] != minute:
            self._minutes.append((minute, {}))
        counts = self._minutes[-1][1]
        for trunk in {trunk for trunk, _ in facts.candidates}:
            row = counts.setdefault(trunk, [0, 0])
            row[0] += 1
            row[1] += answered and trunk == facts.egress_trunk

    def _alarm(self, holder: str, limit: str, percent: int, in_use: int, ceiling: int, now: float) -> None:
        if len(self._alarms) >= MOST_ALARMS and (holder, limit) not in self._alarms:
            self._forget(now)
            if len(self._alarms) >= MOST_ALARMS:
                return
        self._alarms[holder, limit] = (percent, max(0, in_use), max(0, ceiling), now)

    def _forget(self, now: float) -> None:
        self._alarms = {key: alarm for key, alarm in self._alarms.items() if now - alarm[3] < ALARM_S}

    # -- once a second ---------------------------------------------------------------------------------------------

    def snapshot(
        self, sources: Sources, core: ProxyCore, identity: Identity, trunk_calls: Mapping[str, int], now: float, *,
        draining: str, traces: int,
    ) -> Snapshot:  # fmt: skip
        """The node now; the seconds since the last reading are over."""
        elapsed = max(now - self._read_at, 1e-3)
        self._read_at = now
        counters = sources.counters
        attempts, self._attempts = counters.attempts - self._attempts, counters.attempts
        refused_total = {str(reason): count for reason, count in counters.refused.items()}
        refused = _difference(refused_total, self._refused_by_reason)
        self._refused_by_reason = refused_total
        refusals = sum(refused.values())
        holding = core.in_use
        calls = counters.calls_live
        self._history.append(Second(_rounded(attempts / elapsed), _rounded(refusals / elapsed), calls))
        accounts, active = self._accounts(core, holding, elapsed)
        p50, p99 = self._percentiles(sources.totals.decision.counts)
        lag_s, self.worst_lag_s = self.worst_lag_s, 0.0
        self._forget(now)
        return Snapshot(
            v=VERSION,
            node=sources.node,
            version=identity.version,
            at_ms=int((now + identity.wall_offset) * 1_000),
            uptime_s=int(now - identity.started_at),
            listeners=identity.listeners,
            draining=draining,
            is_overloaded=core.is_overloaded,
            store_up=sources.limiter.is_up,
            settles_queued=sources.limiter.queued_settles,
            nodes_alive=core.live_nodes,
            policy_generation=sources.policy_generation(),
            policy_is_stale=sources.policy_is_stale(),
            calls=calls,
            leases=counters.leases_live,
            transactions=sources.transactions(),
            attempts_per_s=_rate(attempts, elapsed),
            admitted_per_s=_rate(max(0, attempts - refusals), elapsed),
            refused_per_s=_rate(refusals, elapsed),
            refused_by_reason={reason: _rate(count, elapsed) for reason, count in refused.items()},
            attempts_total=counters.attempts,
            refused_total=refused_total,
            decision_p50_ms=p50,
            decision_p99_ms=p99,
            loop_lag_ms=round(lag_s * 1_000, 1),
            cdr_backlog=sources.cdr.backlog,
            cdr_is_failing=sources.cdr.is_failing,
            delivery_is_up=sources.delivery.is_up,
            escaped=counters.escaped,
            traces=traces,
            accounts_active=active,
            accounts=accounts,
            trunks=self._trunks(sources.trunk_states(), trunk_calls),
            alarms=tuple(
                [
                    Alarm(holder, limit, percent, in_use, ceiling, int(now - at))
                    for (holder, limit), (percent, in_use, ceiling, at) in self._alarms.items()
                ]
            ),
            history=tuple(self._history),
        )

    def _accounts(
        self, core: ProxyCore, holding: Mapping[str, int], elapsed: float
    ) -> tuple[tuple[AccountUse, ...], int]:
        """The busiest by attempts and by calls; how many are active at all."""
        ended, self._ended = self._ended, {}
        refused, self._refused = self._refused, {}
        in_use = {holder: count for holder, count in holding.items() if not holder.startswith(KINDS)}
        arrived = dict(ended)
        for account in in_use.keys() | self._in_use.keys():
            more = in_use.get(account, 0) - self._in_use.get(account, 0)
            if more:
                arrived[account] = arrived.get(account, 0) + more
        self._in_use = in_use
        active = {account for account in arrived if account} | in_use.keys()
        busiest = nlargest(MOST_ACCOUNTS // 2, (a for a in arrived if a), key=arrived.__getitem__)
        largest = nlargest(MOST_ACCOUNTS // 2, in_use, key=in_use.__getitem__)
        rows = []
        for account in dict.fromkeys([*busiest, *largest]):
            ceilings = core.ceilings(account)
            rows.append(
                AccountUse(
                    account,
                    _rate(max(0, arrived.get(account, 0)), elapsed),
                    _rate(refused.get(account, 0), elapsed),
                    in_use.get(account, 0),
                    0 if ceilings is None else ceilings.caps,
                    0 if ceilings is None else ceilings.calls,
                )
            )
        return tuple(rows), len(active)

    def _trunks(self, states: Mapping[str, int], calls: Mapping[str, int]) -> tuple[TrunkUse, ...]:
        now = self._read_at // 60
        sums: dict[str, list[int]] = {}
        for minute, counts in self._minutes:
            if now - minute < ASR_MINUTES:
                for trunk, (tried, answered) in counts.items():
                    row = sums.setdefault(trunk, [0, 0])
                    row[0] += tried
                    row[1] += answered
        # The worst first: of more trunks than are shown, one that is down has no calls, and is what is looked for.
        busiest = sorted(states, key=lambda trunk: (states[trunk], -calls.get(trunk, 0), trunk))[:MOST_TRUNKS]
        return tuple([TrunkUse(t, _HEALTH.get(states[t], ""), calls.get(t, 0), *sums.get(t, (0, 0))) for t in busiest])

    def _percentiles(self, counts: list[int]) -> tuple[float, float]:
        """Of the decisions of the last `HISTORY` seconds, in ms; 0 without any. The bucket without a bound counts as
        the last bound."""
        self._decisions.append(list(counts))
        recent = [late - early for late, early in zip(counts, self._decisions[0], strict=True)]
        total = sum(recent)
        found = []
        for share in (0.5, 0.99):
            below, at = 0, 0.0
            for bound, count in zip((*DECISION_BOUNDS_US, DECISION_BOUNDS_US[-1]), recent, strict=True):
                below += count
                if total and below >= total * share:
                    at = bound / 1_000
                    break
            found.append(at)
        return found[0], found[1]


def trunk_calls(calls: Iterable[Call], counts: dict[str, int]) -> None:
    """Adds these calls to the count of the trunk that each was sent to last."""
    for call in calls:
        trunk = call.facts.egress_trunk
        if trunk:
            counts[trunk] = counts.get(trunk, 0) + 1


def _difference(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items() if count != before.get(name, 0)}


def _rate(count: int, elapsed: float) -> float:
    return round(count / elapsed, 1)


def _rounded(number: float) -> int:
    return int(number + 0.5)
