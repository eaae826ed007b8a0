"""All nodes of a store at one glance, as the API tells it. Pure.

Rates are of the last second or so; counts are sums over the nodes that show themselves.
"""

from pydantic import Field

from edge.admin.shapes.shape import Answer


class NodeRow(Answer):
    """One node."""

    node: str
    state: str = Field(description="`up`, `draining`, `stopping`, `silent` or `starting`.")
    beat_ms: int = Field(description="Since its last heartbeat.")
    version: str = ""
    uptime_s: int = 0
    listeners: list[str] = Field(default_factory=list)
    calls: int = 0
    attempts_per_s: float = 0
    refused_per_s: float = 0
    policy_generation: int = 0
    policy_is_stale: bool = False
    store_up: bool = True
    is_overloaded: bool = False
    loop_lag_ms: float = 0
    decision_p50_ms: float = 0
    decision_p99_ms: float = 0
    settles_queued: int = 0
    cdr_backlog: int = 0
    cdr_is_failing: bool = False
    delivery_is_up: bool = True
    escaped: int = Field(default=0, description="Faults of the edge's own since it started. Must read 0.")


class AccountRow(Answer):
    """An account that is busy."""

    account: str
    attempts_per_s: float
    refused_per_s: float
    calls: int
    caps: int = Field(description="Ceilings over all nodes; 0: not heard yet.")
    calls_ceiling: int


class TrunkRow(Answer):
    """An egress trunk, as all nodes see it."""

    trunk: str
    health: str = Field(description="The worst that a node says: `up`, `trial`, `degraded`, `down`.")
    calls: int
    attempts: int = Field(description="Of the last 15 minutes.")
    answered: int
    nodes: dict[str, str] = Field(description="Node -> health.")


class AlarmRow(Answer):
    """Somebody near or at a limit, lately."""

    holder: str
    limit: str
    percent: int = Field(description="80, 95; 100: refused or cut by it.")
    in_use: int
    ceiling: int
    age_s: int


class AlertRow(Answer):
    """An alert that stands, as webhooks are told it (docs/alerts.md)."""

    alert: str = Field(description="Names it: `credit:acme`.")
    kind: str = Field(description="`calls`, `caps`, `spend`, `credit`, `quality`, `trunk`, `node` or `store`.")
    subject: str = Field(description="Account, `group:ID`, `trunk:ID`, egress trunk or node.")
    level: str = Field(description="`warning` or `critical`.")
    state: str = Field(description="`waiting`: not told yet; `raised`; `going`: not so any more, but not for long.")
    since_ms: int
    text: str


class AlertTold(Answer):
    """One thing that was told of an alert (docs/alerts.md)."""

    id: str
    event: str = Field(description="`raised`, `worse`, `reminder`, `cleared` or `test`.")
    alert: str
    kind: str
    level: str
    subject: str
    text: str
    at_ms: int
    since_ms: int
    node: str
    fields: dict[str, int | float | str]


class SecondRow(Answer):
    """One second of all nodes together."""

    at_s: int = Field(description="UTC seconds.")
    attempts: int
    refused: int
    calls: int


class Overview(Answer):
    """All nodes, now."""

    at_ms: int
    calls: int
    attempts_per_s: float
    admitted_per_s: float
    refused_per_s: float
    refused_by_reason: dict[str, float]
    accounts_active: int
    nodes: list[NodeRow]
    accounts: list[AccountRow]
    trunks: list[TrunkRow]
    alarms: list[AlarmRow]
    alerts: list[AlertRow] = Field(description="The most urgent first; 60 at most.")
    history: list[SecondRow]


class AccountNow(Answer):
    """One account, now."""

    at_ms: int
    attempts_per_s: float
    refused_per_s: float
    admitted_per_s: float
    in_use: int
    calls: int = Field(description="Ceiling of concurrent calls.")
    caps: int
    tokens_micro: int
    balance_micros: int
    held_micros: int
    status: str
    generation: int
