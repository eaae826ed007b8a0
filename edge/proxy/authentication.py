"""Who says he is somebody must know a secret (R10): digest authentication of attempts, as a proxy does it. Pure.

RFC 3261 §22.3, RFC 7616, RFC 8760. A caller without credentials is challenged with 407; that is no attempt yet, and has
no record. Wrong credentials are one, are answered with a new challenge, and count towards a lock-out.
"""

from collections.abc import Callable
from typing import Final

from edge.config.credentials import Secret
from edge.config.refusals import Reason
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.verdicts import Refuse
from edge.proxy.facts import Fact
from edge.proxy.lockouts import Lockouts
from edge.proxy.node import Node
from edge.proxy.nonces import Nonces
from edge.proxy.refusing import Headers
from edge.sip import digest
from edge.sip.digest import Credentials
from edge.sip.errors import FieldError
from edge.sip.message import Request
from edge.sip.uri import SipUri, TelUri, parse_uri

NOBODY_PROVED: Final = frozenset((Reason.CREDENTIALS_REFUSED, Reason.LOCKED_OUT))
"""Their senders are strangers: nobody's records grow with their tries."""
_CHALLENGED: Final = frozenset((Reason.CREDENTIALS_MISSING, Reason.CREDENTIALS_STALE, Reason.CREDENTIALS_REFUSED))
_NOBODY: Final = Secret("", {})
_NO_SECRET: Final = {b"sha-256": "0" * 64, b"md5": "0" * 32}
"""Compared where the user name is not known, so that it takes the same time."""


class Authentication:
    """Of one core."""

    __slots__ = ("_lockouts", "_node", "nonces")

    def __init__(self, node: Node, fresh: Callable[[], bytes], now: float) -> None:
        self._node = node
        family = node.identifiers.nonce_key() if node.settings.workers > 1 else b""
        self.nonces = Nonces(fresh, now, family=family)
        self._lockouts = Lockouts()

    def judge(self, attempt: CallAttempt, snapshot: PolicySnapshot, now: float) -> tuple[Refuse | None, Headers]:
        """The verdict of policy on an attempt that must prove whose it is, and the challenges that go with it."""
        fault = self.check(attempt, now)
        if fault is None:
            return judge(attempt, snapshot), ()
        if fault not in _CHALLENGED:
            return Refuse(fault), ()
        return Refuse(fault), self.challenges(attempt, now, is_stale=fault is Reason.CREDENTIALS_STALE)

    def check(self, attempt: CallAttempt, now: float) -> Reason | None:
        """None: the caller has proved to be `attempt.username`, and the credentials are off the request. Else what is
        wrong: `credentials_missing` or `credentials_stale` (challenge it), `credentials_refused` (that too, and it is a
        failure), `locked_out`, `bad_request`."""
        node, request, host = self._node, attempt.request, attempt.source_host
        terms = node.snapshot.digest
        self.nonces.forget(terms.nonce_s, now)
        try:
            found, place = _credentials(request, terms.realm.encode())
        except FieldError:
            return Reason.BAD_REQUEST
        if self._lockouts.is_locked(host, b"" if found is None else found.username, now):
            return Reason.LOCKED_OUT
        offered = [name.lower().encode() for name in terms.algorithms]
        age = None if found is None else self.nonces.age(found.nonce, host, now)
        if found is None or age is None or found.algorithm not in offered:
            return Reason.CREDENTIALS_MISSING
        if not found.qop and terms.needs_qop:
            return Reason.CREDENTIALS_MISSING
        known = node.snapshot.secrets.get(found.username, _NOBODY)
        secret = known.by_algorithm.get(found.algorithm)
        try:
            is_right = digest.is_right(found, secret or _NO_SECRET[found.algorithm], request.method, request.body)
        except FieldError:
            return Reason.BAD_REQUEST
        if not is_right or secret is None or not _is_meant(found, request):
            self._failed(host, found.username, now)
            return Reason.CREDENTIALS_REFUSED
        count = int(found.nc, 16) if found.qop else 1
        if age > terms.nonce_s or not self.nonces.use(found.nonce, count):
            return Reason.CREDENTIALS_STALE
        self._lockouts.succeeded(host, found.username)
        node.sources.prove(host)  # the nonce went there and came back
        attempt.username = found.username.decode("ascii")
        _take_off(request, place)
        return None

    def challenges(self, attempt: CallAttempt, now: float, *, is_stale: bool) -> Headers:
        """Proxy-Authenticate, one for each algorithm, the most preferred first (RFC 8760 §2.3)."""
        terms = self._node.snapshot.digest
        self._node.counters.challenges += 1
        nonce = self.nonces.give(attempt.source_host, now)
        return tuple(
            [
                (
                    b"Proxy-Authenticate",
                    digest.challenge(terms.realm.encode(), nonce, algorithm.encode(), is_stale=is_stale),
                )
                for algorithm in terms.algorithms
            ]
        )

    def _failed(self, host: str, name: bytes, now: float) -> None:
        terms = self._node.snapshot.digest
        if self._lockouts.failed(host, name, most=terms.lockout_failures, lockout_s=terms.lockout_s, now=now):
            self._node.counters.lockouts += 1
            fact = Fact("caller.locked_out", {"source": host, "seconds": terms.lockout_s})
            self._node.outbox.facts.append(fact)


def _credentials(request: Request, realm: bytes) -> tuple[Credentials | None, int]:
    """Those for our realm, and which value they are. Raises FieldError where they are unreadable, or there twice."""
    found: list[tuple[Credentials, int]] = []
    for place, value in enumerate(request.values(b"proxy-authorization")):
        one = digest.parse_credentials(value)
        if one is not None and one.realm == realm:
            found.append((one, place))
    if len(found) > 1:
        raise FieldError("Proxy-Authorization", "twice for one realm")
    return found[0] if found else (None, 0)


def _take_off(request: Request, place: int) -> None:
    """Ours are of no use to anybody further on; those for other realms go on (RFC 3261 §22.3)."""
    values = request.values(b"proxy-authorization")
    request.remove(b"proxy-authorization")
    for index, value in enumerate(values):
        if index != place:
            request.append(b"Proxy-Authorization", value)


def _is_meant(found: Credentials, request: Request) -> bool:
    """Are they for this called number? RFC 8760 §2.6 item 6 lets a proxy on the way change the address, and leaves to
    us whose calls we take: a response made for one number is not good for another. Some equipment names the domain
    alone; what keeps that from being played back is the count of its nonce."""
    if found.uri == request.uri:
        return True
    try:
        theirs, ours = parse_uri(found.uri), parse_uri(request.uri)
    except FieldError:
        return False
    return _user(theirs) in (b"", _user(ours))


def _user(uri: object) -> bytes:
    if isinstance(uri, SipUri):
        return (uri.user or b"").partition(b";")[0]
    return uri.number if isinstance(uri, TelUri) else b""
