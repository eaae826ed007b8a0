"""Who may do what: every operation of the admin API with the least role it takes. Pure.

One table: the gate asks it before a byte of the body is read, a test walks over it and over the API's own description.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, NamedTuple

from edge.config.access import ADMIN_ROLES, RoleName

KIB, MIB = 1 << 10, 1 << 20
BUNDLE_BYTES = 32 * MIB
"""Of a policy document with its files; a larger one is brought in by `edge policy import`."""
BODY_BYTES = 256 * KIB
"""Of a request, where the table says nothing else."""


class Reach(StrEnum):
    """What somebody may use whose token is for some accounts only."""

    ONE = "one"
    """The account in the path must be one of theirs."""
    SOME = "some"
    """They see their own part."""
    ALL = "all"
    """Nothing: it is for those who may see all accounts."""


class Operation(NamedTuple):
    """A method on a path."""

    method: str
    path: str
    role: RoleName | Literal[""]
    """The least role; empty: anybody."""
    reach: Reach = Reach.ALL
    body_bytes: int = BODY_BYTES
    is_question: bool = False
    """It asks by POST, since the question is long: nothing is changed, and the audit has nothing of it."""
    is_private: bool = False
    """Its body holds what the audit must not keep: numbers of people, secrets, whole documents."""
    is_secret: bool = False
    """Its answer holds a secret, which is kept nowhere: an Idempotency-Key does nothing here."""
    is_raw: bool = False
    """Its body is no JSON."""
    is_long: bool = False
    """A stream, or work over many records: it has no time limit but that of its steps."""

    @property
    def is_change(self) -> bool:
        """Does it change anything?"""
        return self.method not in ("GET", "HEAD") and not self.is_question

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


V, O, E, A = ADMIN_ROLES  # noqa: E741 - the four columns of the table
ONE, SOME, ALL = Reach

OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/healthz", ""),
    Operation("GET", "/readyz", ""),
    Operation("GET", "/metrics", V),
    Operation("GET", "/openapi.json", ""),
    Operation("GET", "/problems", ""),
    Operation("GET", "/problems/{problem}", ""),
    # -- the console
    Operation("GET", "/", ""),
    Operation("GET", "/console/{asset}", ""),
    # -- who is there
    Operation("GET", "/v1/me", V, SOME),
    Operation("POST", "/v1/session", V, SOME, is_secret=True),
    Operation("DELETE", "/v1/session", V, SOME),
    Operation("GET", "/v1/session/oidc", ""),
    Operation("GET", "/v1/session/oidc/callback", ""),
    Operation("GET", "/v1/tokens", A),
    Operation("POST", "/v1/tokens", A, is_secret=True),
    Operation("DELETE", "/v1/tokens/{token}", A),
    # -- accounts
    Operation("GET", "/v1/accounts", V, SOME),
    Operation("POST", "/v1/accounts", E, SOME),
    Operation("GET", "/v1/accounts/{account}", V, ONE),
    Operation("PATCH", "/v1/accounts/{account}", E, ONE),
    Operation("POST", "/v1/accounts/{account}/caps-lots", O, ONE),
    Operation("POST", "/v1/accounts/{account}/call-lots", O, ONE),
    Operation("POST", "/v1/accounts/{account}/suspend", O, ONE),
    Operation("POST", "/v1/accounts/{account}/resume", O, ONE),
    Operation("POST", "/v1/accounts/{account}/close", E, ONE),
    Operation("POST", "/v1/accounts/{account}/top-ups", O, ONE),
    Operation("GET", "/v1/accounts/{account}/history", V, ONE),
    Operation("GET", "/v1/accounts/{account}/calls", V, ONE),
    Operation("GET", "/v1/accounts/{account}/verify", V, ONE),
    Operation("GET", "/v1/credit-alerts", V, SOME),
    Operation("GET", "/v1/accounts/{account}/credit-alert", V, ONE),
    Operation("PUT", "/v1/accounts/{account}/credit-alert", O, ONE),
    # -- running calls, nodes
    Operation("GET", "/v1/calls", V, SOME),
    Operation("GET", "/v1/calls/{call}", V, SOME),
    Operation("POST", "/v1/calls/{call}/hang-up", O, SOME),
    Operation("GET", "/v1/nodes", V),
    Operation("GET", "/v1/nodes/{node}", V),
    Operation("POST", "/v1/nodes/{node}/drain", E),
    Operation("POST", "/v1/nodes/{node}/resume", E),
    Operation("GET", "/v1/alarms", V, SOME),
    Operation("GET", "/v1/bans", V),
    Operation("POST", "/v1/bans/lift", O),
    Operation("GET", "/v1/alerts", V),
    Operation("GET", "/v1/alerts/history", V),
    # -- live
    Operation("GET", "/v1/overview", V),
    Operation("GET", "/v1/events", V, is_long=True),
    Operation("GET", "/v1/accounts/{account}/events", V, ONE, is_long=True),
    # -- records
    Operation("GET", "/v1/cdrs", V, SOME),
    Operation("GET", "/v1/cdrs/export", O, SOME, is_long=True),
    Operation("GET", "/v1/cdrs/{call}", V, SOME),
    # -- policy
    Operation("POST", "/v1/explain", V, is_question=True),
    Operation("GET", "/v1/explain/{call}", V, SOME),
    Operation("GET", "/v1/policy", V),
    Operation("PUT", "/v1/policy", E, body_bytes=BUNDLE_BYTES, is_private=True),
    Operation("GET", "/v1/policy/versions", V),
    Operation("GET", "/v1/policy/document", E),
    Operation("POST", "/v1/policy/check", E, body_bytes=BUNDLE_BYTES, is_question=True),
    Operation("POST", "/v1/policy/diff", E, body_bytes=BUNDLE_BYTES, is_question=True),
    Operation("POST", "/v1/policy/rollback", E),
    Operation("POST", "/v1/policy/replay", E, body_bytes=BUNDLE_BYTES, is_question=True, is_long=True),
    Operation("GET", "/v1/policy/law", V, SOME),
    Operation("GET", "/v1/policy/files/{file}", E),
    Operation("PUT", "/v1/policy/files/{file}", E, body_bytes=BUNDLE_BYTES, is_private=True, is_raw=True),
    Operation("GET", "/v1/trunks", V),
    Operation("GET", "/v1/trunks/{trunk}", V),
    Operation("POST", "/v1/trunks/{trunk}/maintenance", E),
    Operation("POST", "/v1/trunks/{trunk}/resume", E),
    Operation("GET", "/v1/trunk-orders", V),
    Operation("PUT", "/v1/trunk-orders/{trunk}", E),
    Operation("GET", "/v1/accounts/{account}/cli-numbers", V, ONE),
    Operation("PUT", "/v1/accounts/{account}/cli-numbers", E, ONE),
    Operation("GET", "/v1/do-not-originate", V),
    Operation("PUT", "/v1/do-not-originate", E),
    Operation("GET", "/v1/rates", V, SOME),
    # -- quality, penalties, bills
    Operation("GET", "/v1/accounts/{account}/quality", V, ONE),
    Operation("GET", "/v1/accounts/{account}/penalties", V, ONE),
    Operation("POST", "/v1/accounts/{account}/penalties", E, ONE),
    Operation("POST", "/v1/accounts/{account}/penalties/{seq}/correct", E, ONE),
    Operation("GET", "/v1/penalties/export", V),
    Operation("GET", "/v1/penalties/verify", V),
    Operation("GET", "/v1/billing/{month}", V),
    Operation("GET", "/v1/idle-accounts", V),
    Operation("POST", "/v1/idle-accounts/close", E),
    # -- people called
    Operation("POST", "/v1/accounts/{account}/contacts", O, ONE, body_bytes=MIB, is_private=True),
    Operation("POST", "/v1/accounts/{account}/contacts/csv", O, ONE, body_bytes=8 * MIB, is_private=True, is_raw=True),
    Operation("POST", "/v1/accounts/{account}/contacts/look", O, ONE, is_question=True, is_private=True),
    # -- audit
    Operation("GET", "/v1/audit", A),
    Operation("GET", "/v1/audit/export", A, is_long=True),
    Operation("GET", "/v1/audit/verify", A, is_long=True),
)


class _Row(NamedTuple):
    pattern: re.Pattern[str]
    operations: dict[str, Operation]


def _table() -> tuple[_Row, ...]:
    """By path, those without a variable first, so that `/v1/accounts/idle` is no account."""
    paths: dict[str, dict[str, Operation]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = one
    rows = []
    for path in sorted(paths, key=lambda path: (path.count("{"), path)):
        pattern = re.sub(r"\\\{([a-z]+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
        rows.append(_Row(re.compile(pattern), paths[path]))
    return tuple(rows)


_TABLE = _table()


class Match(NamedTuple):
    """What a request asks for."""

    operation: Operation | None
    """None: this path has no such method."""
    methods: tuple[str, ...]
    words: dict[str, str]
    """What stands in the path: `account` …"""


def match(method: str, path: str) -> Match | None:
    """The operation; None: there is nothing at this path."""
    for row in _TABLE:
        found = row.pattern.fullmatch(path)
        if found is not None:
            return Match(row.operations.get(method), tuple(row.operations), found.groupdict())
    return None


def is_enough(role: RoleName, wanted: RoleName | Literal[""]) -> bool:
    """Each role may do what those before it may."""
    return not wanted or ADMIN_ROLES.index(role) >= ADMIN_ROLES.index(wanted)


def best_of(roles: Iterable[RoleName]) -> RoleName | None:
    """The most of these; None: there is none."""
    return max(roles, key=ADMIN_ROLES.index, default=None)
