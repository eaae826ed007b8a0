"""Stage 2: the numbers of the attempt: presented CLI, network CLI, called number, presentation. Pure.

RFC 3323 §4.2 (Privacy), RFC 3325 §9 (P-Asserted-Identity: at most one sip and one tel value; more are read all the
same, since each could be the one that is shown), RFC 5806 and RFC 7044 (who forwarded the call). Originals are kept for
the record. Remote-Party-ID is a draft that never became an RFC, and is what older equipment sends.
"""

import re
from typing import Final

from edge.config.plan import MALFORMED, WITHHELD, NumberPlan
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.naming import name_in
from edge.policy.spelling import ABSENT, MAX_TEXT, NUMBER, Reading, read_user, without_portability
from edge.policy.verdicts import Reason, Refuse
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.message import Request

_HIDING: Final = (b"id", b"user", b"header")
"""Privacy values that hide who calls; `session` and `history` hide other things, `none` asks for nothing."""

_NAMING: Final = frozenset({b"p-asserted-identity", b"p-preferred-identity", b"remote-party-id"})
"""What names the caller beside From."""
_MAX_DIVERSIONS: Final = 20
"""Entries of Diversion, and of History-Info, that are looked at."""
_DIGIT: Final = re.compile(rb"[0-9\x80-\xff]")
"""A digit, or what may be one of another script."""
_MIN_LONG: Final = 11
"""Characters of the shortest number with a country code that is none of the emergency ones."""


def read_numbers(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Fill called, CLI and presentation. Refuses a request without a called number, or with a list of asserted
    identities that cannot be read."""
    request, plan, bare = attempt.request, snapshot.plan, snapshot.bare_international
    called = name_in(request.uri, plan, bare_international=bare)
    if not called.user:
        return Refuse(Reason.CALLED_INVALID)
    attempt.called_original = attempt.tech_prefix + called.original
    address = request.from_()
    sender = name_in(address.uri, plan, bare_international=bare)
    attempt.cli_original = sender.original
    if called.service:
        attempt.called, attempt.emergency = plan.number_of(called.service) or called.original, True
    else:
        attempt.called = _called(called.reading, attempt, plan) if snapshot.normalise else called.original
        attempt.emergency = _is_emergency(attempt.called, plan)
    if not snapshot.normalise:
        attempt.cli_presented = attempt.cli_original
        return None
    if not attempt.called:
        return Refuse(Reason.CALLED_INVALID)
    reading = sender.reading
    attempt.sender = attempt.presented = reading
    if request.has_any(_NAMING):
        try:
            asserted = request.list_values(b"p-asserted-identity") + request.list_values(b"p-preferred-identity")
            remote = request.list_values(b"remote-party-id")
        except FieldError:
            return Refuse(Reason.CLI_INVALID)
        _read_asserted(attempt, asserted, plan, bare)
        is_hidden = _read_remote(attempt, remote, plan, bare)
        _believe(attempt)
        _read_names(attempt, asserted + remote, plan)
        attempt.withheld = is_hidden
    if address.display and _DIGIT.search(address.display) is not None:
        _read_display(attempt, address.display, plan)
    attempt.cli_presented = attempt.presented.e164
    privacy = request.value(b"privacy")
    if sender.is_anonymous_host or reading.state == WITHHELD or (privacy is not None and hides_identity(privacy)):
        attempt.withheld = True
    return None


def is_emergency_call(attempt: CallAttempt, snapshot: PolicySnapshot) -> bool:
    """Is the called number an emergency one? For a decision that cannot wait for stage 2."""
    plan = snapshot.plan
    called = name_in(attempt.request.uri, plan)
    if called.service:
        return True
    return _is_emergency(called_number(called.reading) if snapshot.normalise else called.original, plan)


def read_uri(uri: bytes, plan: NumberPlan, *, bare_international: bool = False) -> Reading:
    """The number in a URI: of From, To, the Request-URI, or of any header that names somebody."""
    return name_in(uri, plan, bare_international=bare_international).reading


def diverting_numbers(request: Request, plan: NumberPlan) -> list[Reading]:
    """Who has forwarded this call on its way, as the request tells: Diversion (RFC 5806), and every entry of
    History-Info (RFC 7044) but the last, which is where the call goes now. Anybody can write such a header."""
    readings: list[Reading] = []
    for name in (b"diversion", b"history-info"):
        if request.value(name) is None:
            continue
        try:
            values = request.list_values(name)
        except FieldError:
            continue
        for value in (values if name == b"diversion" else values[:-1])[:_MAX_DIVERSIONS]:
            try:
                readings.append(read_uri(parse_name_addr(value).uri, plan))
            except FieldError:
                continue
    return readings


def called_number(reading: Reading) -> str:
    """E.164, else what was dialled."""
    return reading.e164 or reading.text[:MAX_TEXT]


def hides_identity(privacy: bytes) -> bool:
    """Does this Privacy value ask to hide the caller (RFC 3323 §4.2)? Values are separated by semicolons."""
    return any(value.strip() in _HIDING for value in privacy.lower().replace(b",", b";").split(b";"))


def _called(reading: Reading, attempt: CallAttempt, plan: NumberPlan) -> str:
    """The called number. A trusted neighbour may have put a portability prefix into it."""
    if reading.state != NUMBER and attempt.ingress is not None and attempt.ingress.trusted:
        ported = without_portability(reading.text, plan)
        if ported:
            return ported
    return called_number(reading)


def _read_asserted(attempt: CallAttempt, values: list[bytes], plan: NumberPlan, bare: bool) -> None:
    """Every P-Asserted-Identity is read for the rules, whoever sent it."""
    readings = []
    for value in values:
        try:
            readings.append(read_uri(parse_name_addr(value).uri, plan, bare_international=bare))
        except FieldError:
            readings.append(read_user(value, plan))  # whatever it is, the rules shall see the digits in it
    attempt.network = tuple(readings)


def _read_names(attempt: CallAttempt, values: list[bytes], plan: NumberPlan) -> None:
    """What the display names of these spell besides: some telephones show it, and nobody asserts it."""
    for value in values:
        try:
            address = parse_name_addr(value)
        except FieldError:
            continue
        if address.display and _DIGIT.search(address.display) is not None:
            attempt.network += _shown_besides(address.display, read_uri(address.uri, plan), plan)


def _read_display(attempt: CallAttempt, display: bytes, plan: NumberPlan) -> None:
    """The display name in From, which a telephone shows instead of the number: where it spells one of the plan, it is
    judged as one. A name that says again what From says adds nothing."""
    attempt.network += _shown_besides(display, attempt.sender or ABSENT, plan)


def _shown_besides(display: bytes, said: Reading, plan: NumberPlan) -> tuple[Reading, ...]:
    """The number of the plan that a display name spells, unless the address beside it `said` the same."""
    reading = read_user(display.strip(b'" \t'), plan)
    is_of_plan = reading.state == NUMBER and bool(plan.code_of(reading.e164[1:]))
    is_another = (is_of_plan or reading.state == MALFORMED) and said.e164 != (reading.e164 or "-")
    return (reading,) if is_another else ()


def _read_remote(attempt: CallAttempt, values: list[bytes], plan: NumberPlan, bare: bool) -> bool:
    """Remote-Party-ID, which older neighbours send for P-Asserted-Identity: read like it. True: it asks to hide."""
    is_hidden = False
    for value in values:
        try:
            address = parse_name_addr(value)
            if (address.param(b"party") or b"calling").lower() != b"calling":
                continue
            privacy = (address.param(b"privacy") or b"off").strip(b'"').lower()
            is_hidden = is_hidden or any(word in privacy for word in (b"full", b"uri"))
            reading = read_uri(address.uri, plan, bare_international=bare)
        except FieldError:
            attempt.network += (read_user(value, plan),)
            continue
        attempt.network += (reading,)
    return is_hidden


def _believe(attempt: CallAttempt) -> None:
    """The first number a trusted trunk asserts is the network's; and the one presented, where From has none."""
    if attempt.ingress is None or not attempt.ingress.trusted:
        return
    believed = next((reading for reading in attempt.network if reading.state == NUMBER), None)
    if believed is not None:
        attempt.cli_network = believed.e164
        if attempt.presented is None or attempt.presented.state != NUMBER:
            attempt.presented = believed


def _is_emergency(called: str, plan: NumberPlan) -> bool:
    if called in plan.emergency:
        return True
    if len(called) < _MIN_LONG and _is_decorated_emergency(called.rstrip("#"), plan):
        return True
    return bool(plan.emergency_prefixes) and called.startswith(plan.emergency_prefixes)


def _is_decorated_emergency(called: str, plan: NumberPlan) -> bool:
    """+33112 and 0033112, of a gateway that puts the country code before everything; +112 and 00112, of one that puts
    the plus alone there; 0112, of a switchboard that leaves the digit for an outside line there; 112#, with the key
    that ends dialling. No other number has those shapes."""
    if called in plan.emergency or (plan.trunk_prefix and called.removeprefix(plan.trunk_prefix) in plan.emergency):
        return True
    for prefix in ("+", *plan.international_prefixes):
        if called.startswith(prefix):
            digits = called[len(prefix) :]
            code = plan.code_of(digits)
            if digits in plan.emergency or (code and digits[len(code) :] in plan.emergency):
                return True
    return False
