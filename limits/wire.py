"""Verbs as bytes for Redis and its replies as outcomes: one preformatted EVALSHA, no client library in between.

No I/O of its own (the scripts' names come from the package). The protocol is RESP2: a request is an array of bulk
strings.
"""

from typing import Final, NamedTuple

from limits import rate
from limits.account import AccountId, is_holder_id
from limits.fields import from_fields
from limits.frequency import terms_of
from limits.keys import account_keys
from limits.model import (
    COUNTERS,
    NOTHING_IN_FORCE,
    OUTCOMES,
    REFUSED,
    Admit,
    Admitted,
    Answer,
    Answered,
    Denied,
    InForce,
    Limit,
    Outcome,
    Renew,
    Renewed,
    RunningCall,
    Settle,
    Settled,
    Usage,
)
from limits.rates import Price
from limits.script_loader import script

CACHED_ACCOUNTS: Final = 8_192
"""Accounts whose key bytes are kept; when full, all are forgotten and made again (cheaper than an order of use)."""

UNKNOWN: Final = Denied(Limit.UNKNOWN, 0, 0, 0)

_LIMITS: Final = {limit.value.encode(): limit for limit in Limit}
_OUTCOMES: Final = {outcome: b"$%d\r\n%b\r\n" % (len(outcome), outcome.encode()) for outcome in (*OUTCOMES, REFUSED)}
_OTHER: Final = b"$5\r\nother\r\n"
_EMPTY: Final = b"$0\r\n\r\n"
_ONE: Final = b"$1\r\n1\r\n"
_ZERO: Final = b"$1\r\n0\r\n"
_SMALL: Final = tuple([b"$%d\r\n%d\r\n" % (len(str(value)), value) for value in range(256)])
_SIZES: Final = tuple([b"$%d\r\n" % size for size in range(2_048)])
"""Heads of bulk strings."""
_NOBODY: Final = b"$1\r\n-\r\n"


class Peek(NamedTuple):
    """The verb behind `Limiter.peek`."""

    account: AccountId


class Load(NamedTuple):
    """SCRIPT LOAD: the store has forgotten this script. No account has an empty name."""

    name: str
    account: str = ""


class Epoch(NamedTuple):
    """Is this still the same life of the store? Proposes a name for a new one."""

    fresh: str
    key: str
    account: str = ""


class Asking(NamedTuple):
    """ASKING: the next request is for a slot that is about to move there (Redis Cluster)."""

    account: str = ""


class Probe(NamedTuple):
    """PING: does the store answer at all?"""

    account: str = ""


class Garbage(Exception):
    """A reply that none of our scripts gives: whoever is at the other end, it is not our store."""


def command(*words: bytes) -> bytes:
    """Any Redis command."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def ask_epoch(key: str, fresh: str) -> bytes:
    """The name of the store's life, kept under this key."""
    return _evalsha("epoch", 2, 1) + _bulk(key.encode()) + _bulk(fresh.encode())


def _evalsha(name: str, words: int, keys: int) -> bytes:
    """Head of an EVALSHA with so many words after the number of keys."""
    digits = b"%d" % keys
    sha = script(name).sha1.encode()
    return b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$%d\r\n%b\r\n" % (words + 3, sha, len(digits), digits)


class Encoder:
    """Verbs to bytes. Holds what repeats: heads of commands, keys of accounts, node and lease, prices."""

    def __init__(self) -> None:
        self._admit = _evalsha("admit", 16, 6)
        self._answer = _evalsha("answer", 8, 5)
        self._settle = _evalsha("settle", 12, 6)
        self._settle_more = _evalsha("settle", 15, 6)
        self._peek = _evalsha("peek", 6, 6)
        self._accounts: dict[str, tuple[bytes, bytes, int, bytes]] = {}
        self._tails: dict[tuple[str, int], bytes] = {}
        self._prices: dict[Price, bytes] = {}

    def encode(self, verb: Admit | Answer | Renew | Settle | Peek | Load | Epoch | Probe | Asking) -> bytes | None:
        """One request; None: no account can have this name, so the store need not be asked."""
        account = self._accounts.get(verb.account)
        if account is None:
            if isinstance(verb, Load):
                return command(b"SCRIPT", b"LOAD", script(verb.name).text.encode())
            if isinstance(verb, Epoch):
                return ask_epoch(verb.key, verb.fresh)
            if isinstance(verb, Probe):
                return command(b"PING")
            if isinstance(verb, Asking):
                return command(b"ASKING")
            if not is_holder_id(verb.account):
                return None
            account = self._keys_of(verb.account)
        keys, done, done_size, reverts = account
        # The two verbs of every call come first.
        # Nothing but %b, and the values written out behind it: so mypyc joins the bytes without reading a format.
        if isinstance(verb, Admit):
            uid, record = verb.uid.encode(), verb.record
            size = len(uid)
            tail = self._tails.get((verb.node, verb.lease_ms)) or self._tail(verb.node, verb.lease_ms)
            price = _EMPTY if verb.price is None else self._price(verb.price)
            called = verb.called.encode("ascii", "replace")
            member = _EMPTY + _ZERO if not verb.member else _bulk(verb.member.encode()) + _number(verb.reserved)
            terms = _EMPTY
            if verb.frequencies or verb.contact is not None or verb.guard is not None:
                terms = _bulk(terms_of(verb.frequencies, verb.contact, verb.guard))
            return b"%b%b%b%b%b\r\n%b%b\r\n%b%b%b%b\r\n%b%b%b\r\n%b%b" % (
                self._admit, keys, _size(done_size + size), done, uid, _size(size), uid, tail, price,
                _size(len(called)), called, member, _size(len(record)), record, _number(verb.quantum_s), terms,
            )  # fmt: skip
        if isinstance(verb, Settle):
            uid = verb.uid.encode()
            size = len(uid)
            price = _EMPTY if verb.price is None else self._price(verb.price)
            doubt = _ONE if verb.doubtful else _ZERO
            outcome = _OUTCOMES.get(verb.outcome, _OTHER)
            by = _bulk(verb.by.encode()) if verb.by else _NOBODY
            head, extra = self._settle, b""
            if verb.marks or verb.returned or verb.charged is not None:
                marks = _bulk(terms_of(verb.marks)) if verb.marks else _EMPTY
                returned = _bulk(terms_of(verb.returned)) if verb.returned else _EMPTY
                charged = _EMPTY if verb.charged is None else _number(verb.charged)
                head, extra = self._settle_more, b"%b%b%b" % (marks, returned, charged)
            return b"%b%b%b%b%b\r\n%b%b\r\n%b%b%b%b%b%b" % (
                head, keys, _size(done_size + size), done, uid, _size(size), uid,
                outcome, _number(verb.duration_ms), price, doubt, by, extra,
            )  # fmt: skip
        if isinstance(verb, Answer):
            uid = verb.uid.encode()
            received = _ONE if verb.is_received else _EMPTY
            record = verb.record
            return b"%b%b%b%b\r\n%b%b\r\n%b" % (
                self._answer, keys, _size(len(uid)), uid, _size(len(record)), record, received
            )  # fmt: skip
        if isinstance(verb, Renew):
            return self._renew(verb, keys, done, done_size)
        return self._peek + keys + reverts

    def _renew(self, verb: Renew, keys: bytes, done: bytes, done_size: int) -> bytes:
        uids = [uid.encode() for uid in verb.uids]
        count = len(uids)
        head = _evalsha("renew", 5 * count + 9, count + 5)
        tombs = [b"%b%b%b\r\n" % (_size(done_size + len(uid)), done, uid) for uid in uids]
        talk, paid, prices = verb.talk_ms, verb.paid_s, verb.prices
        calls: list[bytes] = []
        for index, uid in enumerate(uids):
            price = prices[index] if prices else None
            calls += (
                _bulk(uid),
                _number(talk[index] if talk else -1),
                _number(paid[index] if paid else 0),
                _EMPTY if price is None else self._price(price),
            )
        terms = (self._tail(verb.node, verb.lease_ms), _number(verb.quantum_s), _number(verb.ahead_ms))
        return b"".join((head, keys, *tombs, *terms, *calls))

    def _price(self, price: Price) -> bytes:
        made = self._prices.get(price)
        if made is None:
            if len(self._prices) >= CACHED_ACCOUNTS:
                self._prices.clear()
            made = self._prices[price] = _bulk(b"%d:%d:%d:%d:%d" % price)
        return made

    def _keys_of(self, holder: str) -> tuple[bytes, bytes, int, bytes]:
        if len(self._accounts) >= CACHED_ACCOUNTS:
            self._accounts.clear()
        names = account_keys(holder)
        keys = b"".join([_bulk(key.encode()) for key in names[:5]])
        done = names.done_prefix.encode()
        made = self._accounts[holder] = (keys, done, len(done), _bulk(names.reverts.encode()))
        return made

    def _tail(self, node: str, lease_ms: int) -> bytes:
        made = self._tails.get((node, lease_ms))
        if made is None:
            if len(self._tails) >= 64:
                self._tails.clear()
            made = self._tails[(node, lease_ms)] = _bulk(node.encode()) + _number(lease_ms)
        return made


def _size(size: int) -> bytes:
    return _SIZES[size] if size < len(_SIZES) else b"$%d\r\n" % size


def _bulk(word: bytes) -> bytes:
    return b"%b%b\r\n" % (_size(len(word)), word)


def _number(value: int) -> bytes:
    if 0 <= value < 256:
        return _SMALL[value]
    return _bulk(b"%d" % value)


_ADMITTED: Final[list[type]] = [*[int] * 10, bytes, int, list, int, int]
_SETTLED: Final[list[type]] = [*[int] * 4, bytes]
_RENEWED: Final[list[type]] = [int, int, list, list, list, list, bytes, int]
_DENIED: Final[list[type]] = [int, bytes, *[int] * 8, bytes]
"""What the scripts answer, type by type."""
_ANSWERED: Final = (Answered(False), Answered(True))


def outcome_of(verb: Admit | Answer | Renew | Settle, reply: object) -> Outcome:
    """What a script answered; `reply` is used up. Raises Garbage."""
    if type(reply) is not list or len(reply) < 2:
        raise Garbage(f"a {type(verb).__name__} answered by {reply!r:.80}")
    kind, first, count = type(verb), reply[0], len(reply)
    # Not through the constructors of the answers, which cost three times as much.
    if first == 1:
        if kind is Admit:
            if count == len(_ADMITTED) and _is_shaped(reply, _ADMITTED):
                reply[10] = reply[10].decode("latin-1")
                reply[12] = _words(reply[12]) if reply[12] else ()
                return tuple.__new__(Admitted, reply[1:])
        elif kind is Settle:
            if count == len(_SETTLED) and _is_shaped(reply, _SETTLED):
                return tuple.__new__(Settled, (reply[1] == 1, reply[2], reply[3], reply[4].decode("latin-1")))
        elif kind is Renew:
            if count == len(_RENEWED) and _is_shaped(reply, _RENEWED):
                lost, ended, adopted = _words(reply[2]), _words(reply[3]), _words(reply[4])
                paid_s = tuple([int(paid) for paid in reply[5]])
                return Renewed(reply[1], lost, ended, adopted, paid_s, reply[6].decode("latin-1"), reply[7] == 1)
        elif reply[1] in (0, 1) and count == 2:
            return _ANSWERED[reply[1]]
    elif first == 0 and count in (5, 10, 11) and _is_shaped(reply, _DENIED):
        limit = _LIMITS.get(reply[1])
        if limit is not None:
            in_force = InForce._make(reply[5:10]) if count > 5 else NOTHING_IN_FORCE
            name = _words(reply[10:])[0] if count == 11 else ""
            return Denied(limit, reply[2], reply[3], reply[4], in_force, name)
    raise Garbage(f"a {kind.__name__} answered by {reply!r:.80}")


def _is_shaped(reply: list[object], shape: list[type]) -> bool:
    """Is each item of its type? The shape is as long as the reply, or longer."""
    return all(type(item) is shape[at] for at, item in enumerate(reply))


def usage_of(account: AccountId, reply: object) -> Usage | None:
    """What peek.lua answered. Raises Garbage."""
    if not isinstance(reply, list) or len(reply) not in (5, 9):
        raise Garbage(f"a peek answered by {reply!r:.80}")
    if reply[0] == 0:
        return None
    try:
        now, in_use = reply[1], reply[2]
        flat = _words(reply[3])
        fields = dict(zip(flat[::2], flat[1::2], strict=False))
        held = reply[4] if isinstance(reply[4], list) else []
        values = from_fields(account, fields)
        tokens = values.burst * rate.MICRO
        if "refilled_ms" in fields:
            elapsed = now - int(fields["refilled_ms"])
            stored = int(fields["tokens_micro"])
            tokens = rate.refilled(stored, elapsed_ms=elapsed, caps=values.caps, burst=values.burst)
        prefixes, reverts, shares = _words(reply[6]), _words(reply[7]), _words(reply[8])
        is_hour = fields.get("hour") == str(now // 3_600_000)
        is_day = fields.get("day") == str(now // 86_400_000)
        return Usage(
            account=values,
            tokens_micro=tokens,
            calls=_running(held),
            in_use=int(in_use),
            counters=tuple((name, int(fields.get(name, "0"))) for name in COUNTERS),
            balance_micros=int(fields.get("balance_micros", "0")),
            held_micros=int(fields.get("held_micros", "0")),
            spent_hour_micros=int(fields.get("spent_hour_micros", "0")) if is_hour else 0,
            spent_day_micros=int(fields.get("spent_day_micros", "0")) if is_day else 0,
            expired=int(reply[5]),
            prefixes=tuple(sorted(zip(prefixes[::2], map(int, prefixes[1::2]), strict=True))),
            reverts=tuple(sorted(_revert(*pair) for pair in zip(reverts[::2], reverts[1::2], strict=True))),
            last_call_ms=int(fields.get("last_call_ms", "0")),
            now_ms=int(now),
            shares=tuple(sorted(zip(shares[::2], shares[1::2], strict=True))),
        )
    except (ValueError, TypeError, KeyError) as fault:
        raise Garbage(f"account {account}: {fault}") from fault


def _running(flat: list[object]) -> tuple[RunningCall, ...]:
    if len(flat) % 7:
        raise Garbage(f"seven items a call expected, {flat!r:.80} found")
    uids, nodes = _words(flat[::7]), _words(flat[1::7])
    until, admitted, answered, paid, held = (_integers(flat[place::7]) for place in range(2, 7))
    return tuple(map(RunningCall, uids, nodes, until, admitted, answered, paid, held))


def _revert(name: str, text: str) -> tuple[str, int, str]:
    at, _, back = text.partition(" ")
    return name, int(at), back


def _integers(flat: list[object]) -> tuple[int, ...]:
    numbers = tuple([number for number in flat if isinstance(number, int)])
    if len(numbers) != len(flat):
        raise Garbage(f"numbers expected, {flat!r:.80} found")
    return numbers


def _words(reply: object) -> tuple[str, ...]:
    if not isinstance(reply, list) or not all(isinstance(word, bytes) for word in reply):
        raise Garbage(f"words expected, {reply!r:.80} found")
    return tuple([word.decode("utf-8", "replace") for word in reply])
