"""From a policy document to the values the limits keep: accounts, groups, professionals, trunks with ceilings. Pure."""

from collections.abc import Iterator

from edge.config.ranges import expand
from edge.config.schema import EgressEntry, PolicyDocument
from limits.account import MAX_CEILING, Account, AccountId, AccountStatus, Credit, PrefixCeiling
from limits.model import PROFESSIONAL


def is_limited(trunk: EgressEntry) -> bool:
    """Has this trunk ceilings of its own?"""
    return trunk.calls is not None or trunk.caps is not None


def professionals_of(document: PolicyDocument) -> dict[str, str]:
    """account -> the professional it calls for, of those that share one."""
    return {
        name: entry.calling.professional
        for entry in document.accounts
        if entry.calling.professional is not None
        for name in expand(entry.id)
    }


def holders_of(document: PolicyDocument) -> Iterator[Account]:
    """Every holder of the document."""
    for entry in document.accounts:
        ceilings = tuple([PrefixCeiling(one.prefix, one.calls, one.caps) for one in entry.prefix_ceilings])
        for name in expand(entry.id):
            yield Account(
                id=AccountId(name),
                status=AccountStatus(entry.status),
                caps_base=entry.caps_base,
                caps_lots=entry.caps_lots,
                caps_lot_size=entry.caps_lot_size,
                caps_burst=entry.caps_burst,
                calls_base=entry.calls_base,
                call_lots=entry.call_lots,
                call_lot_size=entry.call_lot_size,
                calls_reserved=entry.calls_reserved,
                group=entry.group or "",
                credit=Credit(entry.credit),
                floor_micros=entry.floor,
                spend_cap_hour_micros=entry.spend_cap_hour,
                spend_cap_day_micros=entry.spend_cap_day,
                max_rate_micros=entry.max_rate,
                prefix_ceilings=ceilings,
                shadow=frozenset(entry.shadow),
            )
    for group in document.groups:
        yield Account(
            id=AccountId(f"group:{group.id}"),
            status=AccountStatus(group.status),
            caps_base=group.caps_base,
            caps_burst=group.caps_burst,
            calls_base=group.calls_base,
            credit=Credit.NONE,
            spend_cap_hour_micros=group.spend_cap_hour,
            spend_cap_day_micros=group.spend_cap_day,
            shadow=frozenset(group.shadow),
        )
    for name in sorted({entry.calling.professional or "" for entry in document.accounts} - {""}):
        yield Account(
            id=AccountId(PROFESSIONAL + name), caps_base=MAX_CEILING, calls_base=MAX_CEILING, credit=Credit.NONE
        )
    for trunk in document.egress:
        if is_limited(trunk):
            yield Account(
                id=AccountId(f"trunk:{trunk.id}"),
                caps_base=MAX_CEILING if trunk.caps is None else trunk.caps,
                calls_base=MAX_CEILING if trunk.calls is None else trunk.calls,
                credit=Credit.NONE,
                shadow=frozenset(trunk.shadow),
            )
