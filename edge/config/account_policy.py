"""What the policy says of each account, apart from its commercial values (R9). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from edge.config.accounts import NO_LIST, AccountCli
from edge.config.conduct import ANY_CALLING, AccountCalling, calling_of
from edge.config.plan import CACHE_LIMIT as CACHE_LIMIT
from edge.config.ranges import expand
from edge.config.refusals import Reason, RefusalProfile
from edge.config.schema import (
    PolicyDocument,
)


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """What the policy says of an account; its commercial values live in the store (R9)."""

    id: str
    kind: str
    """`human` or `automated`."""
    refusal_profile: RefusalProfile | None
    """None: the ingress trunk's."""
    store_away: str
    """`refuse`, `admit` or `local` (R11)."""
    tags: tuple[str, ...] = ()
    external_id: str = ""
    """Its name in the operator's own books."""
    shadow: frozenset[Reason] = frozenset()
    """Refusals of policy that are noted and let the call pass."""
    purpose: str = "none"
    """What its calls are for: `none` or `telemarketing-b2c`."""
    cli: AccountCli = NO_LIST
    """Which numbers it may present."""
    calling: AccountCalling = ANY_CALLING
    priority: str | None = None
    """`low`, `normal` or `high` while the edge is overloaded; None: as the ingress trunk says."""


def accounts_of(document: PolicyDocument, profiles: Mapping[str, RefusalProfile]) -> dict[str, AccountPolicy]:
    accounts = {}
    for entry in document.accounts:
        shadow = frozenset([*document.shadow_refusals, *entry.shadow_refusals])
        profile = None if entry.refusal_profile is None else profiles[entry.refusal_profile]
        away = entry.store_away or ("refuse" if entry.credit == "prepaid" else "local")
        calling = calling_of(entry.calling)
        for name in expand(entry.id):
            accounts[name] = AccountPolicy(
                name,
                entry.kind,
                profile,
                away,
                entry.tags,
                entry.external_id,
                shadow,
                entry.purpose,
                entry.cli,
                calling,
                entry.priority,
            )
    return accounts
