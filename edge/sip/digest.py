"""Digest authentication on paper: challenge, credentials, response (RFC 3261 §22, RFC 7616 §3, RFC 8760).

Standard library only. Nothing is decided here: who is known, how long a nonce lives and what a failure costs is the
proxy's affair.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from edge.sip.errors import FieldError
from edge.sip.grammar import LWS, QUOTED, TOKEN_CHARS

MAX_PARAMS: Final = 32

_Hash = Callable[[bytes], str]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


HASHES: Final[Mapping[bytes, _Hash]] = {b"md5": _md5, b"sha-256": _sha256}
"""By the algorithm's name in lower case. RFC 8760 §2.1; the session variants are never offered."""

_SCHEME: Final = re.compile(rb"[ \t]*digest[ \t]+", re.IGNORECASE)
_PARAM: Final = re.compile(
    rb"[ \t]*([" + TOKEN_CHARS + rb"]++)[ \t]*=[ \t]*(" + QUOTED + rb'|[^ \t,"]*+)[ \t]*(,|\Z)', re.DOTALL
)
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)


class Credentials(NamedTuple):
    """One Authorization or Proxy-Authorization value. Texts are as they are meant: unquoted, unescaped."""

    username: bytes
    realm: bytes
    nonce: bytes
    uri: bytes
    response: bytes
    algorithm: bytes
    """Lower case; `md5` where none is named (RFC 7616 §3.4)."""
    qop: bytes
    """Lower case; empty: a client of RFC 2069."""
    nc: bytes
    cnonce: bytes


def parse_credentials(value: bytes) -> Credentials | None:
    """None: another scheme than Digest. Raises FieldError where it is Digest and cannot be read, says a thing twice, or
    leaves out what the response is made of."""
    scheme = _SCHEME.match(value)
    if scheme is None:
        return None
    params = _params(value, scheme.end())
    try:
        found = Credentials(
            username=params[b"username"],
            realm=params[b"realm"],
            nonce=params[b"nonce"],
            uri=params[b"uri"],
            response=params[b"response"].lower(),
            algorithm=params.get(b"algorithm", b"md5").lower(),
            qop=params.get(b"qop", b"").lower(),
            nc=params.get(b"nc", b""),
            cnonce=params.get(b"cnonce", b""),
        )
    except KeyError as missing:
        raise FieldError("credentials", f"no {missing.args[0].decode('latin-1')}") from None
    if found.qop and not (len(found.nc) == 8 and found.cnonce and _is_hex(found.nc)):
        raise FieldError("credentials", "qop without nc of eight digits and cnonce")
    return found


def parse_challenge(value: bytes) -> dict[bytes, bytes] | None:
    """The parameters of a WWW-Authenticate or Proxy-Authenticate value; None: another scheme. Raises FieldError."""
    scheme = _SCHEME.match(value)
    return None if scheme is None else _params(value, scheme.end())


def challenge(realm: bytes, nonce: bytes, algorithm: bytes, *, is_stale: bool) -> bytes:
    """A Proxy-Authenticate value. RFC 8760 §2.6: qop is always sent."""
    stale = b", stale=true" if is_stale else b""
    return b'Digest realm="%b", nonce="%b", qop="auth,auth-int", algorithm=%b%b' % (
        _escaped(realm),
        nonce,
        algorithm,
        stale,
    )


def secret_of(algorithm: bytes, username: bytes, realm: bytes, password: bytes) -> str:
    """H(username:realm:password), what is kept in place of the password (RFC 7616 §3.4.2)."""
    return HASHES[algorithm](b"%b:%b:%b" % (username, realm, password))


def response_of(found: Credentials, secret: str, method: bytes, body: bytes) -> str:
    """The response these credentials should carry (RFC 7616 §3.4.1). `secret`: that of `secret_of`. The algorithm is
    one of HASHES. Raises FieldError for a quality of protection nobody offered."""
    digest = HASHES[found.algorithm]
    if found.qop == b"auth-int":
        # RFC 8760 §2.6 item 7: without a body it is the hash of nothing.
        request = b"%b:%b:%b" % (method, found.uri, digest(body).encode())
    elif found.qop in (b"", b"auth"):
        request = b"%b:%b" % (method, found.uri)
    else:
        raise FieldError("credentials", "qop is neither auth nor auth-int")
    second = digest(request).encode()
    if not found.qop:
        return digest(b"%b:%b:%b" % (secret.encode(), found.nonce, second))
    parts = (secret.encode(), found.nonce, found.nc, found.cnonce, found.qop, second)
    return digest(b":".join(parts))


def is_right(found: Credentials, secret: str, method: bytes, body: bytes) -> bool:
    """Is the response the one this secret makes? The time it takes does not tell how much of it was right."""
    return hmac.compare_digest(response_of(found, secret, method, body).encode(), found.response)


def _params(value: bytes, at: int) -> dict[bytes, bytes]:
    params: dict[bytes, bytes] = {}
    value = value.rstrip(LWS)
    while at < len(value):
        match = _PARAM.match(value, at)
        if match is None or len(params) == MAX_PARAMS:
            raise FieldError("credentials", "not a list of parameters")
        name, text, _ = match.groups()
        name = name.lower()
        if name in params:
            raise FieldError("credentials", f"{name.decode('latin-1')} twice")
        params[name] = _ESCAPE.sub(rb"\1", text[1:-1]) if text.startswith(b'"') else text
        at = match.end()
    return params


def _escaped(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _is_hex(text: bytes) -> bool:
    return all(char in b"0123456789abcdefABCDEF" for char in text)
