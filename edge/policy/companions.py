"""The companion of each stage: what it found, in a line. Pure, and never on the ordinary road (see `trace`)."""

from collections.abc import Mapping
from typing import Final

from edge.config.basis import HOUSE, Basis, Origin, parse_basis
from edge.config.hours import local_time
from edge.config.money import format_money
from edge.config.snapshot import PolicySnapshot
from edge.config.telemarketing import DatedEntry
from edge.policy.attempt import CallAttempt
from edge.policy.behaviour import OWN_HOURS, behave, untimely
from edge.policy.entitlement import be_entitled
from edge.policy.identity import identify
from edge.policy.lawfulness import obey_law, ruling_of
from edge.policy.marking import mark
from edge.policy.numbers import called_number, read_numbers
from edge.policy.pipeline import Stage
from edge.policy.privacy import keep_promises
from edge.policy.ranking import asks, buying_micros, loses, rank
from edge.policy.rating import rate
from edge.policy.reach import ABROAD, CALLS_OF, reach, zone_of
from edge.policy.routing import route
from edge.policy.screening import judged, screen
from edge.policy.spelling import ABSENT, Reading
from edge.policy.trace import Companion, Found
from edge.policy.verdicts import Refuse
from limits.frequency import COUNT, SHADOW, Counts, Frequency
from limits.model import QUANTUM_S
from limits.rates import cost, interval_s


def of_identity(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """Whose call it is."""
    if attempt.ingress is None:
        return Found(f"{attempt.source_host} belongs to no ingress trunk")
    proved = [f"tls:{name}" for name in attempt.tls_names] + (
        [f"digest:{attempt.username}"] if attempt.username else []
    )
    shown = "".join([f", proved {name}" for name in proved])
    trunk = f"{attempt.source_host}{shown} is ingress trunk {attempt.ingress.id}, class {attempt.ingress_class}"
    if attempt.account is None:
        return Found(f"{trunk}; no account", attempt.ingress.id)
    if attempt.tech_prefix:
        trunk += f"; tech prefix {attempt.tech_prefix}, taken off"
    return Found(f"{trunk}; account {attempt.account.id}, {attempt.account.kind}", attempt.ingress.id)


def of_marking(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """By which means it was placed, and what for; nothing where the account's line has said it all."""
    kind = "" if attempt.account is None else attempt.account.kind
    marked = ["automated, as this call is marked"] if attempt.automated and kind != "automated" else []
    return Found("; ".join(marked if attempt.purpose == "none" else [*marked, f"purpose {attempt.purpose}"]))


def of_numbers(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """How the numbers were read."""
    if not attempt.called:
        return Found("no called number")
    called = f"called {attempt.called}" + (", emergency" if attempt.emergency else "")
    if attempt.sender is None:
        return Found(f"{called}; numbers are not read")
    read = [f"From {said(attempt.sender, attempt, snapshot)}"]
    read += [f"P-Asserted-Identity {said(reading, attempt, snapshot)}" for reading in attempt.network]
    shown = "withheld" if attempt.withheld else attempt.cli_presented or "none"
    return Found(f"{called}; {'; '.join(read)}; presented {shown}")


def of_screening(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """Which CLI rule decided."""
    shadow = f"; would be refused by {', '.join(attempt.shadow)}" if attempt.shadow else ""
    if attempt.emergency:
        return Found("an emergency call is not screened")
    if not attempt.rule:
        return Found(f"{len(snapshot.rules)} rules, none applies{shadow}")
    rule = next(rule for rule in snapshot.rules if rule.id == attempt.rule)
    numbers = ", ".join(said(reading, attempt, snapshot) for reading in judged(rule.which, attempt))
    return Found(f"rule {rule.id} says {rule.action} of {numbers}{shadow}", rule.id, rule.basis)


def of_law(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """What the ruleset in force at that instant said."""
    if attempt.emergency:
        return Found("no rule is asked of an emergency call")
    if attempt.era is None or attempt.account is None:
        return Found("numbers are not read")
    if attempt.is_cleared:
        return Found("not asked: a rule of the document lets it pass")
    if refusal is not None and attempt.rule == "do_not_originate":
        return Found("a number from which no call begins", attempt.rule, HOUSE)
    if snapshot.rules_mode == "off":
        return Found("the ruleset is off")
    lines, decided = [], None
    for reading in (attempt.sender or ABSENT, *attempt.network):
        ruling = ruling_of(reading, attempt, attempt.era)
        lines.append(
            f"{ruling.action} {called_number(reading) or reading.state}" + (f" by {ruling.id}" if ruling.id else "")
        )
        if ruling.id and (decided is None or ruling.id == attempt.rule):
            decided = ruling
    mode = " (shadow)" if snapshot.rules_mode == "shadow" else ""
    text = f"{snapshot.book.name}{mode}: {'; '.join(lines)}"
    return Found(text) if decided is None else Found(text, decided.id, parse_basis(decided.basis))


def of_entitlement(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """Is the number on the account's list?"""
    account = attempt.account
    if account is None or attempt.is_cleared or not attempt.must_own:
        return Found("the account's list is not asked")
    if not snapshot.ownership.is_declared(account.id):
        return Found(f"no list of numbers is kept for {account.id}")
    text = f"the list of {account.id}"
    if attempt.tags:
        text += f"; marked {', '.join(attempt.tags)}"
    if attempt.substitute and not attempt.treatment:
        text += f"; {attempt.substitute} is asserted to a trusted trunk"
    if attempt.treatment:
        text += f"; {attempt.treatment} {attempt.substitute if attempt.treatment == 'substitute' else ''}".rstrip()
    return Found(text, attempt.rule if refusal is not None else "", _LIST if refusal is not None else None)


_LIST: Final = Basis(Origin.CONTRACT, "article 9.1.8; CPCE L44; Arcep 2025-2215")


def of_routing(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """Which trunks may take it."""
    if not attempt.candidates:
        return Found(f"route {attempt.route}" if attempt.route else f"no route for {attempt.called}", attempt.route)
    return Found(f"route {attempt.route}: {', '.join(trunk.id for trunk in attempt.candidates)}", attempt.route)


def of_rating(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """What it costs."""
    found = attempt.rate
    if found is None:
        return Found("no rate" if snapshot.deck is not None and not attempt.emergency else "no price")
    price = found.price
    amount = f"{format_money(price.rate_micros)} {snapshot.deck.currency if snapshot.deck else ''} a minute"
    steps = f"{price.first_s}/{price.next_s} s"
    held_s = interval_s(price, 0, QUANTUM_S)
    hold = f"first hold {format_money(cost(price, held_s * 1_000))} for {held_s} s"
    return Found(f"zone {found.zone}, prefix {found.prefix or 'any'}, {amount}, {steps}, {hold}", found.prefix)


def of_ranking(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """What each trunk of the route would cost us, and which are left out; nothing where the route does not ask."""
    found = asks(attempt, snapshot)
    if found is None:
        return Found("")
    parts = []
    for trunk in found.trunks:
        bought = buying_micros(trunk, attempt, snapshot)
        price = "no rate" if bought is None else f"{format_money(bought)} for a minute"
        parts.append(
            f"{trunk.id} {price}" + (", left out" if found.no_loss and loses(trunk, attempt, snapshot) else "")
        )
    order = "" if refusal is not None else f"; tried: {', '.join(trunk.id for trunk in attempt.candidates)}"
    return Found("; ".join(parts) + order, found.id)


def said(reading: Reading, attempt: CallAttempt, snapshot: PolicySnapshot) -> str:
    """A number as it was read, and its category at the instant of the attempt."""
    text = called_number(reading) or "nothing"
    return f"{text} ({snapshot.book.at(attempt.wall).category_of_reading(reading)})"


def of_behaviour(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """What the hour says, and what the limits will be asked; nothing where neither the law nor the account asks."""
    account, law = attempt.account, snapshot.conduct.law
    if account is None or attempt.emergency:
        return Found("")
    rule, basis, parts = "", None, []
    zone = None if law is None or attempt.purpose == "none" else law.zone_of(attempt.called)
    if law is not None and zone is not None:
        era, local = law.era(attempt.wall), local_time(attempt.wall, zone)
        why = untimely(law, era, attempt.called, local) or "a permitted hour"
        parts.append(f"telemarketing: {local:%A %Y-%m-%d %H:%M:%S} where {attempt.called} is, {why}")
        if era.consents is not None:
            parts.append(f"{era.consents.id}, consent {account.calling.consent}")
        decided = next((one for one in era if isinstance(one, DatedEntry) and one.id == attempt.rule), era.hours)
        if decided is not None:
            rule, basis = decided.id, parse_basis(decided.basis)
    elif attempt.purpose != "none":
        parts.append(f"{attempt.purpose}, but no consumer under the law")
    if refusal is not None and attempt.rule == OWN_HOURS:
        rule, basis = OWN_HOURS, HOUSE
        parts.append(
            f"{local_time(attempt.wall, account.calling.timezone):%A %H:%M:%S} is outside the account's own hours"
        )
    if attempt.contact is not None:
        parts.append("the store is asked for a refusal" + (", a consent" if attempt.contact.consent_since_ms else ""))
    parts += [asked(one) for one in attempt.frequencies if one.mode != COUNT]
    return Found("; ".join(parts), rule, basis)


def asked(one: Frequency) -> str:
    """A ceiling the limits are to judge, in words."""
    seconds = one.window_ms // 1_000
    span = f"{seconds // 86_400} days" if seconds >= 2 * 86_400 else f"{seconds} s"
    what = {Counts.ATTEMPTS: "attempts", Counts.DISTINCT: "different numbers", Counts.MARKS: "such calls"}[
        Counts(one.counts)
    ]
    shadow = ", in the shadow" if one.mode == SHADOW else ""
    share = f", or automated calls at most {one.unless_percent} % of those received" if one.unless_percent else ""
    return f"{one.name}: at most {one.most} {what} in {span}{share}{shadow}"


def of_reach(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """The zone, and the list or guard that is about it; nothing where there is none."""
    conduct = snapshot.conduct
    if refusal is not None and attempt.rule == ABROAD:
        return Found(f"{attempt.called} is not among the countries the account may call", ABROAD)
    if attempt.account is None or attempt.emergency or not conduct.has_destinations:
        return Found("")
    zone = zone_of(attempt, snapshot)
    parts = [f"zone {zone or 'none'}"]
    if refusal is not None:
        parts.append(f"barred by {attempt.rule}")
    parts += [asked(one) for one in attempt.frequencies if one.name.startswith(CALLS_OF)]
    if attempt.guard is not None:
        amount = format_money(attempt.guard.most_micros)
        parts.append(f"guard {attempt.guard.name}: at most {amount} an hour")
    return Found("; ".join(parts), attempt.rule if refusal is not None else "")


def of_privacy(attempt: CallAttempt, snapshot: PolicySnapshot, refusal: Refuse | None) -> Found:
    """Which of the services that the caller marked as critical cannot be had."""
    return Found("" if refusal is None else f"critical, and not to be had on any trunk: {refusal.detail}")


COMPANIONS: Final[Mapping[Stage, Companion]] = {
    identify: of_identity,
    mark: of_marking,
    read_numbers: of_numbers,
    screen: of_screening,
    obey_law: of_law,
    be_entitled: of_entitlement,
    behave: of_behaviour,
    route: of_routing,
    keep_promises: of_privacy,
    rate: of_rating,
    rank: of_ranking,
    reach: of_reach,
}
"""Every stage of the pipeline has one."""
