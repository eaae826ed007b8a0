"""Stage 2: the numbers of the attempt: presented CLI, network CLI, called number, presentation. Pure.

RFC 3323 §4.2 (Privacy), RFC 3325 §9 (P-Asserted-Identity: at most one sip and one tel value; more are read all the
same, since each could be the one that is shown), architecture section 6 item 6. Originals are kept for the record.
"""

import re

from edge.config.french_plan import WITHHELD
from edge.config.snapshot import CACHE_LIMIT, PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.spelling import MAX_CACHED_LENGTH, MAX_TEXT, NUMBER, Reading, read_user
from edge.policy.verdicts import Reason, Refuse
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.uri import SipUri, TelUri, parse_uri

_ANONYMOUS_HOST = b"anonymous.invalid"
_HIDING = (b"id", b"user", b"header")
"""Privacy values that hide who calls; `session` and `history` hide other things, `none` asks for nothing."""

_USUAL_URI = re.compile(rb"sip:(\+?[0-9]{1,20})@[0-9.]{7,15}(?::[0-9]{1,5})?(?:;user=phone)?")
"""Nearly every URI of a trunk: digits at an IPv4 address. Read without taking the rest apart."""

_users: dict[bytes, tuple[bytes, bool]] = {}


def read_numbers(attempt: CallAttempt, snapshot: PolicySnapshot) -> Refuse | None:
    """Fill called, CLI and presentation. Refuses a request without a called number, or with a list of asserted
    identities that cannot be read."""
    request = attempt.request
    called, _ = _user_of(request.uri)
    if not called:
        return Refuse(Reason.CALLED_INVALID)
    attempt.called_original = _text(called)
    sender, is_anonymous_host = _user_of(request.from_().uri)
    attempt.cli_original = _text(sender)
    if not snapshot.normalise:
        attempt.called = attempt.called_original
        attempt.cli_presented = attempt.cli_original
        attempt.emergency = _is_emergency(attempt.called, snapshot)
        return None
    bare = snapshot.bare_international
    attempt.called = called_number(read_user(called, bare_international=bare))
    attempt.emergency = _is_emergency(attempt.called, snapshot)
    if not attempt.called:
        return Refuse(Reason.CALLED_INVALID)
    reading = read_user(sender, bare_international=bare)
    attempt.sender = attempt.presented = reading
    try:
        asserted = request.list_values(b"p-asserted-identity")
    except FieldError:
        return Refuse(Reason.CLI_INVALID)
    if asserted:
        _read_asserted(attempt, asserted, bare)
    attempt.cli_presented = attempt.presented.e164
    privacy = request.value(b"privacy")
    attempt.withheld = (
        is_anonymous_host or reading.state == WITHHELD or (privacy is not None and hides_identity(privacy))
    )
    return None


def is_emergency_call(attempt: CallAttempt, snapshot: PolicySnapshot) -> bool:
    """Is the called number an emergency one? For a decision that cannot wait for stage 2."""
    called, _ = _user_of(attempt.request.uri)
    return _is_emergency(called_number(read_user(called)) if snapshot.normalise else _text(called), snapshot)


def called_number(reading: Reading) -> str:
    """E.164, else what was dialled."""
    return reading.e164 or reading.text[:MAX_TEXT]


def hides_identity(privacy: bytes) -> bool:
    """Does this Privacy value ask to hide the caller (RFC 3323 §4.2)? Values are separated by semicolons."""
    return any(value.strip() in _HIDING for value in privacy.lower().replace(b",", b";").split(b";"))


def _read_asserted(attempt: CallAttempt, values: list[bytes], bare: bool) -> None:
    """Every P-Asserted-Identity is read for the rules; only a trusted trunk's is believed."""
    readings = []
    for value in values:
        try:
            user, _ = _user_of(parse_name_addr(value).uri)
        except FieldError:
            user = value  # whatever it is, the rules shall see the digits in it
        readings.append(read_user(user, bare_international=bare))
    attempt.network = tuple(readings)
    if attempt.ingress is None or not attempt.ingress.trusted:
        return
    believed = next((reading for reading in readings if reading.state == NUMBER), None)
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
        return parsed.user or b"", parsed.host.lower().endswith(_ANONYMOUS_HOST)
    if isinstance(parsed, TelUri):
        return parsed.number + parsed.params, False
    return uri, False


def _is_emergency(called: str, snapshot: PolicySnapshot) -> bool:
    if called in snapshot.emergency:
        return True
    # A gateway that puts the country code before everything makes +33112 of 112: no other number has that shape.
    if len(called) < 10 and called.startswith("+33") and called[3:] in snapshot.emergency:
        return True
    return bool(snapshot.emergency_prefixes) and called.startswith(snapshot.emergency_prefixes)


def _text(user: bytes) -> str:
    return user[:MAX_TEXT].decode("utf-8", "replace")
