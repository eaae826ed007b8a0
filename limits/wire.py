"""Verbs as bytes for Redis and its replies as outcomes: one preformatted EVALSHA, no client library in between.

No I/O of its own (the scripts' names come from the package). The protocol is RESP2: a request is an array of bulk
strings.
"""

from typing import NamedTuple

from limits import rate
from limits.fields import from_fields
from limits.keys import account_keys
from limits.model import (
    COUNTERS,
    OUTCOMES,
    TOMBSTONE_MS,
    AccountId,
    Admit,
    Admitted,
    Answer,
    Answered,
    Denied,
    Limit,
    Outcome,
    Renew,
    Renewed,
    Settle,
    Settled,
    Usage,
    is_account_id,
)
from limits.script_loader import script

CACHED_ACCOUNTS = 8_192
"""Accounts whose key bytes are kept; when full, all are forgotten and made again (cheaper than an order of use)."""

UNKNOWN = Denied(Limit.UNKNOWN, 0, 0, 0)

_LIMITS = {limit.value.encode(): limit for limit in Limit}
_OUTCOMES = {outcome: b"$%d\r\n%b\r\n" % (len(outcome), outcome.encode()) for outcome in OUTCOMES}
_OTHER = b"$5\r\nother\r\n"
_TOMBSTONE = b"$%d\r\n%d\r\n" % (len(str(TOMBSTONE_MS)), TOMBSTONE_MS)


class Peek(NamedTuple):
    """The verb behind `Limiter.peek`."""

    account: AccountId


class Load(NamedTuple):
    """SCRIPT LOAD: the store has forgotten this script. No account has an empty name."""

    name: str
    account: str = ""


class Garbage(Exception):
    """A reply that none of our scripts gives: whoever is at the other end, it is not our store."""


def command(*words: bytes) -> bytes:
    """Any Redis command."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def _evalsha(name: str, words: int, keys: int) -> bytes:
    """Head of an EVALSHA with so many words after the number of keys."""
    digits = b"%d" % keys
    sha = script(name).sha1.encode()
    return b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$%d\r\n%b\r\n" % (words + 3, sha, len(digits), digits)


class Encoder:
    """Verbs to bytes. Holds what repeats: heads of commands, keys of accounts, node and lease."""

    def __init__(self) -> None:
        self._admit = _evalsha("admit", 7, 4)
        self._answer = _evalsha("answer", 4, 3)
        self._settle = _evalsha("settle", 8, 4)
        self._peek = _evalsha("peek", 3, 3)
        self._accounts: dict[str, tuple[bytes, bytes, int]] = {}
        self._tails: dict[tuple[str, int], bytes] = {}

    def encode(self, verb: Admit | Answer | Renew | Settle | Peek | Load) -> bytes | None:
        """One request; None: no account can have this name, so the store need not be asked."""
        account = self._accounts.get(verb.account)
        if account is None:
            if isinstance(verb, Load):
                return command(b"SCRIPT", b"LOAD", script(verb.name).text.encode())
            if not is_account_id(verb.account):
                return None
            account = self._keys_of(verb.account)
        keys, done, done_size = account
        # The two verbs of every call come first.
        if isinstance(verb, Admit):
            uid = verb.uid.encode()
            size = len(uid)
            tail = self._tails.get((verb.node, verb.lease_ms)) or self._tail(verb.node, verb.lease_ms)
            words = (self._admit, keys, done_size + size, done, uid, size, uid, tail)
            return b"%b%b$%d\r\n%b%b\r\n$%d\r\n%b\r\n%b" % words
        if isinstance(verb, Settle):
            uid = verb.uid.encode()
            size = len(uid)
            ms = b"%d" % verb.duration_ms
            rest = b"%b$%d\r\n%b\r\n%b" % (_OUTCOMES.get(verb.outcome, _OTHER), len(ms), ms, _TOMBSTONE)
            more = (self._settle, keys, done_size + size, done, uid, size, uid, rest)
            return b"%b%b$%d\r\n%b%b\r\n$%d\r\n%b\r\n%b" % more
        if isinstance(verb, Answer):
            uid = verb.uid.encode()
            return b"%b%b$%d\r\n%b\r\n" % (self._answer, keys, len(uid), uid)
        if isinstance(verb, Renew):
            return self._renew(verb, keys, done, done_size)
        return self._peek + keys

    def _renew(self, verb: Renew, keys: bytes, done: bytes, done_size: int) -> bytes:
        uids = [uid.encode() for uid in verb.uids]
        head = _evalsha("renew", 2 * len(uids) + 5, len(uids) + 3)
        tombs = b"".join([b"$%d\r\n%b%b\r\n" % (done_size + len(uid), done, uid) for uid in uids])
        names = b"".join([b"$%d\r\n%b\r\n" % (len(uid), uid) for uid in uids])
        return b"".join((head, keys, tombs, self._tail(verb.node, verb.lease_ms), names))

    def _keys_of(self, account: str) -> tuple[bytes, bytes, int]:
        if len(self._accounts) >= CACHED_ACCOUNTS:
            self._accounts.clear()
        names = account_keys(account)
        three = b"".join([b"$%d\r\n%b\r\n" % (len(key), key.encode()) for key in names[:3]])
        done = names.done_prefix.encode()
        made = self._accounts[account] = (three, done, len(done))
        return made

    def _tail(self, node: str, lease_ms: int) -> bytes:
        if len(self._tails) >= 64:
            self._tails.clear()
        name = node.encode()
        digits = b"%d" % lease_ms
        made = self._tails[(node, lease_ms)] = b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(digits), digits)
        return made


def outcome_of(verb: Admit | Answer | Renew | Settle, reply: object) -> Outcome:
    """What a script answered. Raises Garbage."""
    if type(reply) is not list or len(reply) < 2:
        raise Garbage(f"a {type(verb).__name__} answered by {reply!r:.80}")
    if reply[0] == 1:
        if isinstance(verb, Admit):
            if len(reply) == 4 and type(reply[1]) is int and type(reply[2]) is int and type(reply[3]) is int:
                return Admitted(reply[1], reply[2], reply[3])
        elif isinstance(verb, Renew):
            if len(reply) == 4 and type(reply[1]) is int:
                return Renewed(reply[1], _words(reply[2]), _words(reply[3]))
        elif reply[1] in (0, 1) and len(reply) == 2:
            return Settled(reply[1] == 1) if isinstance(verb, Settle) else Answered(reply[1] == 1)
    elif reply[0] == 0 and len(reply) == 5 and all([type(number) is int for number in reply[2:]]):
        limit = _LIMITS.get(reply[1]) if type(reply[1]) is bytes else None
        if limit is not None:
            return Denied(limit, reply[2], reply[3], reply[4])
    raise Garbage(f"a {type(verb).__name__} answered by {reply!r:.80}")


def usage_of(account: AccountId, reply: object) -> Usage | None:
    """What peek.lua answered. Raises Garbage."""
    if not isinstance(reply, list) or len(reply) != 5:
        raise Garbage(f"a peek answered by {reply!r:.80}")
    if reply[0] == 0:
        return None
    now, in_use = reply[1], reply[2]
    flat = _words(reply[3])
    fields = dict(zip(flat[::2], flat[1::2], strict=False))
    held = reply[4] if isinstance(reply[4], list) else []
    try:
        values = from_fields(account, fields)
        tokens = values.burst * rate.MICRO
        if "refilled_ms" in fields:
            elapsed = now - int(fields["refilled_ms"])
            stored = int(fields["tokens_micro"])
            tokens = rate.refilled(stored, elapsed_ms=elapsed, caps=values.caps, burst=values.burst)
        calls = tuple(zip(_words(held[::3]), _words(held[1::3]), map(int, held[2::3]), strict=True))
        counters = tuple((name, int(fields.get(name, "0"))) for name in COUNTERS)
    except (ValueError, TypeError, KeyError) as fault:
        raise Garbage(f"account {account}: {fault}") from fault
    return Usage(values, tokens, calls, int(in_use), counters)


def _words(reply: object) -> tuple[str, ...]:
    if not isinstance(reply, list) or not all(isinstance(word, bytes) for word in reply):
        raise Garbage(f"words expected, {reply!r:.80} found")
    return tuple([word.decode("utf-8", "replace") for word in reply])
