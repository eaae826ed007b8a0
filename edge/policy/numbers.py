"""Stage 2: the numbers of the attempt: presented CLI, network CLI, called number, presentation. Pure.

RFC 3323 §4.2 (Privacy), RFC 3325 §9 (P-Asserted-Identity: at most one sip and one tel value; more are read all the
same, since each could be the one that is shown), RFC 5806 and RFC 7044 (who forwarded the call). Originals are kept for
the record. Remote-Party-ID is a draft that never became an RFC, and is what older equipment sends.
"""

import re

from edge.config.plan import CACHE_LIMIT, MALFORMED, WITHHELD, NumberPlan
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.spelling import MAX_CACHED_LENGTH, MAX_TEXT, NUMBER, Reading, read_user, without_portability
from edge.policy.verdicts import Reason, Refuse
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.message import Request
from edge.sip.uri import SipUri, TelUri, parse_uri

_ANONYMOUS_HOST = b"anonymous.invalid"
_HIDING = (b"id", b"user", b"header")
"""Privacy values that hide who calls; `session` and `history` hide other things, `none` asks for nothing."""

_USUAL_URI = re.compile(rb"sip:(\+?[0-9]{1,20})@[0-9.]{7,15}(?::[0-9]{1,5})?(?:;user=phone)?")
"""Nearly every URI of a trunk: digits at an IPv4 address. Read without taking the rest apart."""

_MAX_DIVERSIONS = 20
"""Entries of Diversion, and of History-Info, that are looked at."""
_DIGIT = re.compile(rb"[0-9]")
_MIN_LONG = 11
"""Characters of the shortest number with a country code that is none of the emergency ones."""

_users: dict[bytes, tuple[bytes, bool]] = {}


def read_numbers(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Fill called, CLI and presentation. Refuses a request without a called number, or with a list of asserted
    identities that cannot be read."""
    request = attempt.request
    called, _ = _user_of(request.uri)
    if not called:
        return Refuse(Reason.CALLED_INVALID)
    attempt.called_original = attempt.tech_prefix + _text(called)
    sender, is_anonymous_host = _user_of(request.from_().uri)
    attempt.cli_original = _text(sender)
    plan = snapshot.plan
    if not snapshot.normalise:
        attempt.called = _text(called)
        attempt.cli_presented = attempt.cli_original
        attempt.emergency = _is_emergency(attempt.called, plan)
        return None
    bare = snapshot.bare_international
    attempt.called = _called(read_user(called, plan, bare_international=bare), attempt, plan)
    attempt.emergency = _is_emergency(attempt.called, plan)
    if not attempt.called:
        return Refuse(Reason.CALLED_INVALID)
    reading = read_user(sender, plan, bare_international=bare)
    attempt.sender = attempt.presented = reading
    try:
        asserted = request.list_values(b"p-asserted-identity") + request.list_values(b"p-preferred-identity")
        remote = request.list_values(b"remote-party-id")
    except FieldError:
        return Refuse(Reason.CLI_INVALID)
    if asserted or remote:
        _read_asserted(attempt, asserted, plan, bare)
        is_hidden = _read_remote(attempt, remote, plan, bare)
        _believe(attempt)
        attempt.withheld = is_hidden
    display = request.from_().display
    if display and _DIGIT.search(display) is not None:
        _read_display(attempt, display, plan)
    attempt.cli_presented = attempt.presented.e164
    privacy = request.value(b"privacy")
    if is_anonymous_host or reading.state == WITHHELD or (privacy is not None and hides_identity(privacy)):
        attempt.withheld = True
    return None


def is_emergency_call(attempt: CallAttempt, snapshot: PolicySnapshot) -> bool:
    """Is the called number an emergency one? For a decision that cannot wait for stage 2."""
    called, _ = _user_of(attempt.request.uri)
    plan = snapshot.plan
    return _is_emergency(called_number(read_user(called, plan)) if snapshot.normalise else _text(called), plan)


def read_uri(uri: bytes, plan: NumberPlan, *, bare_international: bool = False) -> Reading:
    """The number in a URI: of From, To, the Request-URI, or of any header that names somebody."""
    return read_user(_user_of(uri)[0], plan, bare_international=bare_international)


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
            user, _ = _user_of(parse_name_addr(value).uri)
        except FieldError:
            user = value  # whatever it is, the rules shall see the digits in it
        readings.append(read_user(user, plan, bare_international=bare))
    attempt.network = tuple(readings)


def _read_display(attempt: CallAttempt, display: bytes, plan: NumberPlan) -> None:
    """The display name in From, which a telephone shows instead of the number: where it spells one of the plan, it is
    judged as one. A name that says again what From says adds nothing."""
    reading = read_user(display.strip(b'" \t'), plan)
    is_of_plan = reading.state == NUMBER and bool(plan.code_of(reading.e164[1:]))
    if (is_of_plan or reading.state == MALFORMED) and (attempt.sender or reading).e164 != (reading.e164 or "-"):
        attempt.network += (reading,)


def _read_remote(attempt: CallAttempt, values: list[bytes], plan: NumberPlan, bare: bool) -> bool:
    """Remote-Party-ID, which older neighbours send for P-Asserted-Identity: read like it. True: it asks to hide."""
    is_hidden = False
    for value in values:
        try:
            address = parse_name_addr(value)
            if (address.param(b"party") or b"calling").lower() != b"calling":
                continue
            user, _ = _user_of(address.uri)
            privacy = (address.param(b"privacy") or b"off").strip(b'"').lower()
            is_hidden = is_hidden or any(word in privacy for word in (b"full", b"uri"))
        except FieldError:
            user = value
        attempt.network += (read_user(user, plan, bare_international=bare),)
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


def _user_of(uri: bytes) -> tuple[bytes, bool]:
    """(user part or subscriber with its parameters, host is anonymous.invalid) of a URI; no user: empty."""
    found = _users.get(uri)
    if found is None:
        found = _read_uri(uri)
        if len(uri) <= MAX_CACHED_LENGTH:
            if len(_users) >= CACHE_LIMIT:
                _users.clear()
            _users[uri] = found
    return found


def _read_uri(uri: bytes) -> tuple[bytes, bool]:
    usual = _USUAL_URI.fullmatch(uri)
    if usual is not None:
        return usual.group(1), False
    try:
        parsed = parse_uri(uri)
    except FieldError:
        return uri, False
    if isinstance(parsed, SipUri):
        user = parsed.user or b""
        if parsed.password and _DIGIT.search(user) is None:
            user += b":" + parsed.password  # sip:tel:+33…@h: the number would be the password
        return user, parsed.host.lower().endswith(_ANONYMOUS_HOST)
    if isinstance(parsed, TelUri):
        return parsed.number + parsed.params, False
    return uri, False


def _is_emergency(called: str, plan: NumberPlan) -> bool:
    if called in plan.emergency:
        return True
    if len(called) < _MIN_LONG and _is_decorated_emergency(called.rstrip("#"), plan):
        return True
    return bool(plan.emergency_prefixes) and called.startswith(plan.emergency_prefixes)


def _is_decorated_emergency(called: str, plan: NumberPlan) -> bool:
    """+33112 and 0033112, of a gateway that puts the country code before everything; 0112, of a switchboard that leaves
    the digit for an outside line there; 112#, with the key that ends dialling. No other number has those shapes."""
    if called in plan.emergency or (plan.trunk_prefix and called.removeprefix(plan.trunk_prefix) in plan.emergency):
        return True
    for prefix in ("+", *plan.international_prefixes):
        if called.startswith(prefix):
            digits = called[len(prefix) :]
            code = plan.code_of(digits)
            if code and digits[len(code) :] in plan.emergency:
                return True
    return False


def _text(user: bytes) -> str:
    return user[:MAX_TEXT].decode("utf-8", "replace")
