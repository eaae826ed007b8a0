"""Tokens of the admin API: made, told once, kept as a slow hash, verified. Pure but for chance and the hash.

`tg_ID_SECRET`: the ID finds the token in the store, the secret (256 bits of chance) proves it. The store has scrypt of
the secret under a salt of its own: who reads the store can use no token.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from typing import NamedTuple

from edge.config.access import ADMIN_ROLES, RoleName

PREFIX = "tg_"
_FORM = re.compile(r"tg_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 1 << 14, 8, 1
"""16 MiB and about 50 ms for each guess."""
MAX_ACCOUNTS = 100
DAY_MS = 86_400_000
MAX_LIFE_MS = 3_660 * DAY_MS
FIRST_LIFE_MS = 3_600_000
"""The one-time token of a first run."""
FIRST = "first run"


class Token(NamedTuple):
    """What the store keeps of a token."""

    id: str
    name: str
    """Whose, or what for: it stands in the audit."""
    role: RoleName
    accounts: tuple[str, ...]
    """Only these, or names that begin so where one ends with `*`; empty: all."""
    created_ms: int
    created_by: str
    expires_ms: int
    salt: str
    digest: str
    is_once: bool = False
    """Good for one thing only, once: to make the first token."""

    def to_text(self) -> str:
        """As the store keeps it."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> "Token":
        """Raises ValueError where it is none of ours."""
        try:
            words = json.loads(text)
            return cls(**{**words, "accounts": tuple(words["accounts"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"not a token of ours: {error}") from error

    def is_expired(self, now_ms: int) -> bool:
        """Is its time over?"""
        return now_ms >= self.expires_ms


def make(
    name: str,
    role: RoleName,
    *,
    now_ms: int,
    expires_ms: int,
    by: str,
    accounts: Iterable[str] = (),
    is_once: bool = False,
) -> tuple[Token, str]:
    """A new token, and its text, which is told this once. Raises ValueError."""
    if role not in ADMIN_ROLES:
        raise ValueError(f"role: {role!r}: expected {', '.join(ADMIN_ROLES)}")
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise ValueError("name: expected 1 to 100 printable characters")
    scope = tuple(accounts)
    if len(scope) > MAX_ACCOUNTS or not all(1 <= len(one) <= 129 and one.isprintable() for one in scope):
        raise ValueError(f"accounts: expected at most {MAX_ACCOUNTS} names, or beginnings of names with a * after them")
    if not now_ms < expires_ms <= now_ms + MAX_LIFE_MS:
        raise ValueError("expires: expected an instant to come, at most ten years ahead")
    secret, salt, number = secrets.token_urlsafe(32), secrets.token_hex(16), secrets.token_hex(6)
    token = Token(number, name, role, scope, now_ms, by, expires_ms, salt, digest_of(secret, salt), is_once)
    return token, f"{PREFIX}{number}_{secret}"


def parts_of(text: str) -> tuple[str, str] | None:
    """(id, secret) of what somebody brought; None: not of this form."""
    found = _FORM.fullmatch(text)
    return None if found is None else (found[1], found[2])


def digest_of(secret: str, salt: str) -> str:
    """The slow hash."""
    n, r, p = _SCRYPT_N, _SCRYPT_R, _SCRYPT_P
    return hashlib.scrypt(secret.encode(), salt=bytes.fromhex(salt), n=n, r=r, p=p, maxmem=64 << 20, dklen=32).hex()


def is_right(token: Token, secret: str) -> bool:
    """Does this secret belong to it? In constant time."""
    return hmac.compare_digest(digest_of(secret, token.salt), token.digest)
