"""Names the edge gives: call uid, branch, tag, and the signed token it leaves in Record-Route.

Implements the branch construction of RFC 3261 §16.6 item 8 with the loop part of RFC 5393 §4.2.1. Pure: randomness is
an injected source, so that a test can name every identifier.
"""

import hmac
from base64 import b32encode
from collections.abc import Callable
from hashlib import blake2b

from edge.sip.message import Message, Request

MAGIC_COOKIE = b"z9hG4bK"
UID_LENGTH = 26
"""Characters of a call uid: 128 bits in base32."""
_SIGNATURE_LENGTH = 13
_LOOP_BYTES = 5


def _base32(digest: bytes) -> bytes:
    return b32encode(digest).rstrip(b"=").lower()


class Identifiers:
    """Makes every identifier that leaves this node."""

    __slots__ = ("_fresh", "_secret")

    def __init__(self, *, secret: bytes, fresh: Callable[[], bytes]) -> None:
        """`secret`: key of the Record-Route signature, the same on every node that shares the traffic, 16 to 64 bytes.
        `fresh`: a new unpredictable token of token characters at each call (RFC 3261 §19.3 asks 32 random bits)."""
        self._secret = secret
        self._fresh = fresh

    def call_uid(self, request: Request, call_id: bytes, from_tag: bytes, cseq: int) -> str:
        """The uid of the attempt this INVITE makes: the same for the same INVITE on any node and after any restart, so
        that an INVITE sent again spends one CAPS token in all (ruling R6)."""
        via = request.via()
        key = b"\0".join((call_id, from_tag, b"%d" % cseq, via.branch or b"", via.host, b"%d" % (via.port or 0)))
        return _base32(blake2b(key, digest_size=16).digest()).decode()

    def tag(self) -> bytes:
        """A To tag of our own (RFC 3261 §19.3)."""
        return self._fresh()

    def branch(self, loop_part: bytes) -> bytes:
        """A branch: globally unique first part, loop detection in the second (RFC 5393 §4.2.1)."""
        return MAGIC_COOKIE + self._fresh() + b"." + loop_part

    def token(self, uid: str, call_id: bytes) -> bytes:
        """What our Record-Route carries as its user: the uid, signed together with the Call-ID. Any node that knows the
        secret can route a request that carries it, and nobody else can make one."""
        name = uid.encode()
        return name + b"-" + self._sign(name, call_id)

    def read_token(self, token: bytes, call_id: bytes) -> str | None:
        """The uid in a token that is ours, or None."""
        if len(token) != UID_LENGTH + 1 + _SIGNATURE_LENGTH or token[UID_LENGTH] != 0x2D:
            return None
        name = token[:UID_LENGTH]
        if not hmac.compare_digest(token[UID_LENGTH + 1 :], self._sign(name, call_id)):
            return None
        try:
            return name.decode("ascii")
        except UnicodeDecodeError:
            return None

    def _sign(self, name: bytes, call_id: bytes) -> bytes:
        return _base32(blake2b(name + b"\0" + call_id, digest_size=8, key=self._secret).digest())


def loop_part(request: Message, uri: bytes, routes: tuple[bytes, ...]) -> bytes:
    """Digest of everything that decides where a request goes: received Request-URI and routes (RFC 5393 §4.2.1). It does
    not vary with the method, so CANCEL and ACK agree with their INVITE."""
    key = b"\0".join((uri, *routes, *request.values(b"proxy-authorization")))
    return blake2b(key, digest_size=_LOOP_BYTES).hexdigest().encode()


def loop_part_of(branch: bytes) -> bytes:
    """The second part of a branch of ours."""
    return branch.rpartition(b".")[2]
