"""What the sections on destinations and telemarketing say of others: accounts and zones that must exist. Pure."""

from collections.abc import Collection, Iterator, Sequence

from edge.config.destinations import DestinationChoice
from edge.config.errors import Problem
from edge.config.schema import PolicyDocument
from edge.config.telemarketing import DatedEntry


def check_destinations(document: PolicyDocument, accounts: Collection[str]) -> Iterator[Problem]:
    """Every fault of these sections."""
    owners: dict[str, str] = {}
    for index, entry in enumerate(document.destinations):
        for place, prefix in enumerate(entry.prefixes):
            owner = owners.setdefault(prefix, entry.zone)
            if owner != entry.zone:
                where = f"destinations[{index}].prefixes[{place}]"
                yield Problem(where, f"{prefix!r} already belongs to zone {owner!r}")
    zones = {entry.zone for entry in document.destinations}
    yield from _choices("barring", [(one.id, one) for one in document.barring], document, accounts, zones)
    yield from _choices("guards", [(one.id, one) for one in document.guards], document, accounts, zones)
    for index, guard in enumerate(document.guards):
        if guard.calls is None and guard.spend is None:
            yield Problem(f"guards[{index}]", "expected calls or spend: nothing is guarded")
        if guard.spend is not None and not document.rate_deck:
            yield Problem(f"guards[{index}].spend", "calls have no price: expected a rate_deck in the document")
    section = document.telemarketing
    yield from _dated("telemarketing.hours", section.hours)
    yield from _dated("telemarketing.attempts", section.attempts)
    yield from _dated("telemarketing.refusals", section.refusals)
    yield from _dated("telemarketing.consents", section.consents)
    for index, account in enumerate(document.accounts):
        calling = account.calling
        if calling.countries and calling.international in ("all", "national"):
            where = f"accounts[{index}].calling.countries"
            yield Problem(where, 'expected international = "eu" or "listed" beside it: they would change nothing')


def _choices(
    section: str,
    entries: Sequence[tuple[str, DestinationChoice]],
    document: PolicyDocument,
    accounts: Collection[str],
    zones: Collection[str],
) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, (name, entry) in enumerate(entries):
        path = f"{section}[{index}]"
        if name in seen:
            yield Problem(f"{path}.id", f"{name!r} is defined twice")
        seen.add(name)
        for place, account in enumerate(entry.accounts):
            if account not in accounts:
                yield Problem(f"{path}.accounts[{place}]", f"no account named {account!r}")
        for place, zone in enumerate(entry.zones):
            # The zones of a rate deck are not known before it is read.
            if zone not in zones and not document.rate_deck:
                known = ", ".join(sorted(zones)[:10]) or "none"
                yield Problem(f"{path}.zones[{place}]", f"no zone named {zone!r}; known: {known}")


def _dated(path: str, entries: Sequence[DatedEntry]) -> Iterator[Problem]:
    for index, entry in enumerate(entries):
        if entry.since is not None and entry.until is not None and entry.until <= entry.since:
            yield Problem(f"{path}[{index}].until", f"expected a day after {entry.since}, its first one")
