"""Digest authentication from the other side: a challenge read, an answer to it made (RFC 3261 §22, RFC 7616, RFC 8760).

Standard library only. What a challenge says comes from outside: it is bounded, and written back only in quotes.
"""

from typing import Final, NamedTuple

from edge.sip.digest import HASHES, Credentials, parse_challenge, response_of, secret_of
from edge.sip.errors import FieldError
from edge.sip.grammar import is_clean
from edge.sip.message import Response

MAX_VALUE: Final = 512
"""Bytes of a realm, nonce or opaque that are answered to."""
MAX_CHALLENGES: Final = 8
"""Looked at in one response."""
UNAUTHORIZED: Final = 401
PROXY_UNAUTHORIZED: Final = 407
CHALLENGES: Final = frozenset((UNAUTHORIZED, PROXY_UNAUTHORIZED))
_PREFERRED: Final = (b"sha-256", b"md5")


class Challenge(NamedTuple):
    """One that can be answered. Texts are unquoted."""

    header: bytes
    """The field the answer goes into."""
    realm: bytes
    nonce: bytes
    algorithm: bytes
    """Lower case."""
    printed: bytes
    """The algorithm as it is to be printed back; empty: none was named (RFC 7616 §3.4)."""
    qop: bytes
    """`auth`, `auth-int`, or empty: a server of RFC 2069."""
    opaque: bytes | None
    is_stale: bool


def challenge_of(response: Response, realm: bytes = b"") -> Challenge | None:
    """The challenge of this 401 or 407 that is answered: SHA-256 before MD5 (RFC 8760 §2.4), `auth` before `auth-int`.
    None: it has none that we can answer. `realm`: no other one is answered; empty: any."""
    is_proxy = response.status == PROXY_UNAUTHORIZED
    name, header = (
        (b"proxy-authenticate", b"Proxy-Authorization") if is_proxy else (b"www-authenticate", b"Authorization")
    )
    best: Challenge | None = None
    for value in response.values(name)[:MAX_CHALLENGES]:
        try:
            params = parse_challenge(value)
        except FieldError:
            continue
        found = None if params is None else _readable(params, header)
        if found is None or (realm and found.realm != realm):
            continue
        if best is None or _PREFERRED.index(found.algorithm) < _PREFERRED.index(best.algorithm):
            best = found
    return best


def answer(
    found: Challenge, *, username: bytes, password: bytes, method: bytes, uri: bytes, body: bytes, count: int,
    cnonce: bytes,
) -> bytes:  # fmt: skip
    """The value of `found.header`. `count`: how often this nonce has been answered, this time included; `cnonce`: a
    fresh unpredictable token."""
    credentials = Credentials(
        username=username,
        realm=found.realm,
        nonce=found.nonce,
        uri=uri,
        response=b"",
        algorithm=found.algorithm,
        qop=found.qop,
        nc=b"%08x" % count,
        cnonce=cnonce,
    )
    secret = secret_of(found.algorithm, username, found.realm, password)
    parts = [
        b"username=" + _quoted(username),
        b"realm=" + _quoted(found.realm),
        b"nonce=" + _quoted(found.nonce),
        b"uri=" + _quoted(uri),
        b'response="%b"' % response_of(credentials, secret, method, body).encode(),
    ]
    if found.printed:
        parts.append(b"algorithm=" + found.printed)
    if found.qop:
        parts += [b"qop=" + found.qop, b"nc=" + credentials.nc, b"cnonce=" + _quoted(cnonce)]
    if found.opaque is not None:
        parts.append(b"opaque=" + _quoted(found.opaque))
    return b"Digest " + b", ".join(parts)


def _readable(params: dict[bytes, bytes], header: bytes) -> Challenge | None:
    """None: something is missing, too long, or of a kind we do not know."""
    printed = params.get(b"algorithm", b"")
    algorithm = printed.lower() or b"md5"
    realm, nonce, opaque = params.get(b"realm"), params.get(b"nonce"), params.get(b"opaque")
    if algorithm not in HASHES or realm is None or not nonce:
        return None
    if any(len(text) > MAX_VALUE or not is_clean(text) for text in (realm, nonce, opaque or b"")):
        return None
    offered = [word.strip().lower() for word in params.get(b"qop", b"").split(b",") if word.strip()]
    qop = next((word for word in (b"auth", b"auth-int") if word in offered), b"")
    if offered and not qop:
        return None
    is_stale = params.get(b"stale", b"").lower() == b"true"
    return Challenge(header, realm, nonce, algorithm, printed, qop, opaque, is_stale)


def _quoted(text: bytes) -> bytes:
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
