"""What a node says of itself once a second: enough for a console's overview and for `edge top`. Pure: shapes only.

Counts named `…_per_s` are of the last second or so. Rows of accounts are the busiest only; totals are of all.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

VERSION = 1
"""Of this form; a reader takes what it knows, and leaves out a node that speaks another one."""
PUBLISH_S = 1.0
LIFE_MS = 5_000
"""A snapshot that is not renewed is gone after this."""
LEFT_MS = 60_000
"""The last one, of a node that stops in order, stays so long: longer than others take to notice its silence."""
MOST_ACCOUNTS = 60
MOST_TRUNKS = 200
MOST_ALARMS = 100
HISTORY = 60
"""Seconds of history."""
ASR_MINUTES = 15
"""Attempts of the last so many minutes make the ASR."""

Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=256)]
PerSecond = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class AccountUse:
    """One account on this node."""

    account: Text
    attempts_per_s: PerSecond
    refused_per_s: PerSecond
    calls: Count
    """Leases held by this node's calls of it; the sum over the nodes is what counts against the ceiling."""
    caps: Count
    """Its ceilings over all nodes, as the store last told them; 0: not heard yet."""
    calls_ceiling: Count


@dataclass(frozen=True, slots=True)
class TrunkUse:
    """One egress trunk, as this node sees it."""

    trunk: Text
    health: Text
    """`up`, `degraded`, `trial` or `down` (`edge.proxy.trunk_health.Health`)."""
    calls: Count
    """Of this node, ringing ones included."""
    attempts: Count
    """Calls sent to it and over, in the last `ASR_MINUTES`."""
    answered: Count
    """Of these."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Somebody near or at a limit, lately."""

    holder: Text
    """Account, `group:ID` or `trunk:ID`."""
    limit: Text
    """`calls`, `caps`, `credit`, `spend_cap` …"""
    percent: Count
    """80 or 95; 100: refused or cut by it."""
    in_use: Count
    ceiling: Count
    age_s: Count


@dataclass(frozen=True, slots=True)
class Second:
    """One second of history."""

    attempts: Count
    refused: Count
    calls: Count


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One node, now."""

    v: int
    node: Text
    version: Text
    at_ms: Count
    """UTC, by the node's clock."""
    uptime_s: Count
    listeners: tuple[Text, ...]
    draining: Text
    """Empty: it takes attempts. `operator`: told to drain. `stopping`: on its way out."""
    is_overloaded: bool
    store_up: bool
    settles_queued: Count
    """Settlements that wait for the store."""
    nodes_alive: Count
    """On its store, as it last heard."""
    policy_generation: Count
    policy_is_stale: bool
    """A newer policy did not build here."""
    calls: Count
    leases: Count
    transactions: Count
    attempts_per_s: PerSecond
    admitted_per_s: PerSecond
    refused_per_s: PerSecond
    refused_by_reason: dict[Text, PerSecond]
    """Refusal token -> per second; those of the last second only."""
    attempts_total: Count
    refused_total: dict[Text, Count]
    """Refusal token -> since the start."""
    decision_p50_ms: PerSecond
    decision_p99_ms: PerSecond
    """INVITE to decision, of the last `HISTORY` seconds: upper bounds of their buckets."""
    loop_lag_ms: PerSecond
    """How late the event loop was, at worst, in the last second."""
    cdr_backlog: Count
    cdr_is_failing: bool
    delivery_is_up: bool
    escaped: Count
    """Faults of ours since the start. Must read 0."""
    traces: Count
    """SIP traces that run."""
    accounts_active: Count
    """Accounts with a call or an attempt; `accounts` has the busiest of them."""
    accounts: tuple[AccountUse, ...]
    trunks: tuple[TrunkUse, ...]
    alarms: tuple[Alarm, ...]
    history: tuple[Second, ...]
    """The oldest first."""
