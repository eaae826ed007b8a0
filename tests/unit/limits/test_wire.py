"""limits.wire: verbs as bytes, replies as outcomes."""

import hiredis
import pytest

from limits.frequency import Contact, Frequency, SpendGuard
from limits.model import (
    COUNTERS,
    Account,
    Admit,
    Admitted,
    Answer,
    Answered,
    Denied,
    InForce,
    Limit,
    Renew,
    Renewed,
    RunningCall,
    Settle,
    Settled,
    Usage,
)
from limits.rates import Price
from limits.script_loader import script
from limits.wire import CACHED_ACCOUNTS, Encoder, Garbage, Load, Peek, command, outcome_of, usage_of

KEYS = [b"{acct:a}", b"{acct:a}:leases", b"{acct:a}:calls", b"{acct:a}:records", b"{acct:a}:expired"]
NOTHING = [b"", b"", b"", b"0", b""]
TERMS = [b"60", b"20000"]
RINGING = [b"-1", b"0", b""]
PRICE = Price(1, 2, 3, 4, 5)
OFTEN = Frequency("n.1", "k", 4, 60_000, item="i")
OFTEN_WORDS = b"n.1 k 4 60000 attempts i enforce 0"


def words_of(data: bytes) -> list[bytes]:
    """A request as the store reads it: whole, and nothing behind it."""
    reader = hiredis.Reader()
    reader.feed(data)
    words = reader.gets()
    assert reader.gets() is False
    return words


@pytest.mark.parametrize(
    ("verb", "name", "rest"),
    [
        (
            Admit("a", "u é", "node 1", 30_000),
            "admit",
            [b"6", *KEYS, b"{acct:a}:done:u \xc3\xa9", b"u \xc3\xa9", b"node 1", b"30000", *NOTHING, b"60", b""],
        ),
        (
            Admit("a", "u", "n", 9, PRICE, "+33", "m", 7, b"\x00r", 30),
            "admit",
            [b"6", *KEYS, b"{acct:a}:done:u", b"u", b"n", b"9", b"1:2:3:4:5", b"+33", b"m", b"7", b"\x00r", b"30", b""],
        ),
        (Answer("a", "u", b"r"), "answer", [b"5", *KEYS, b"u", b"r", b""]),
        (Answer("a", "u", is_received=True), "answer", [b"5", *KEYS, b"u", b"", b"1"]),
        (Answer("a", "u", b"r" * 3_000), "answer", [b"5", *KEYS, b"u", b"r" * 3_000, b""]),
        (
            Renew("a", ("u", "v"), "n", 9),
            "renew",
            [b"7", *KEYS, b"{acct:a}:done:u", b"{acct:a}:done:v", b"n", b"9", *TERMS, b"u", *RINGING, b"v", *RINGING],
        ),
        (
            Renew("a", ("u",), "n", 9, (1_500,), (60,), (PRICE,), 6, 7),
            "renew",
            [b"6", *KEYS, b"{acct:a}:done:u", b"n", b"9", b"6", b"7", b"u", b"1500", b"60", b"1:2:3:4:5"],
        ),
        (Renew("a", (), "n", 9), "renew", [b"5", *KEYS, b"n", b"9", b"60", b"20000"]),
        (
            Settle("a", "u", "answered", 1_500),
            "settle",
            [b"6", *KEYS, b"{acct:a}:done:u", b"u", b"answered", b"1500", b"", b"0", b"-"],
        ),
        (
            Settle("a", "u", "failed", 0, marks=(OFTEN,), returned=(OFTEN, OFTEN)),
            "settle",
            [
                b"6",
                *KEYS,
                b"{acct:a}:done:u",
                b"u",
                b"failed",
                b"0",
                b"",
                b"0",
                b"-",
                b"f " + OFTEN_WORDS + b";",
                b"f " + OFTEN_WORDS + b";f " + OFTEN_WORDS + b";",
                b"",
            ],
        ),
        (
            Admit("a", "u", "n", 9, frequencies=(OFTEN,), contact=Contact("d", 7, 8), guard=SpendGuard("g", 5)),
            "admit",
            [
                b"6",
                *KEYS,
                b"{acct:a}:done:u",
                b"u",
                b"n",
                b"9",
                *NOTHING,
                b"60",
                b"f " + OFTEN_WORDS + b";c d 7 8 1 0 enforce;g g 5 enforce;",
            ],
        ),
        (
            Settle("a", "u", "no such", 0, PRICE, True),
            "settle",
            [b"6", *KEYS, b"{acct:a}:done:u", b"u", b"other", b"0", b"1:2:3:4:5", b"1", b"-"],
        ),
        (
            Settle("a", "u", "answered", 1, by="n1/9", charged=7),
            "settle",
            [
                *[b"6", *KEYS, b"{acct:a}:done:u", b"u", b"answered", b"1", b"", b"0"],
                *[b"n1/9", b"", b"", b"7"],
            ],
        ),
        (Peek("a"), "peek", [b"6", *KEYS, b"{acct:a}:reverts"]),
    ],
)
def test_a_verb_is_one_evalsha(verb, name, rest):
    """Keys first, in the order the scripts name them."""
    encode = Encoder().encode

    for _ in range(2):
        assert [b"EVALSHA", script(name).sha1.encode(), *rest] == words_of(encode(verb) or b"")


def test_a_load_carries_the_script():
    """For a store that forgot it."""
    assert words_of(Encoder().encode(Load("admit")) or b"") == [b"SCRIPT", b"LOAD", script("admit").text.encode()]


@pytest.mark.parametrize("name", ["", "a}b", "a b", "\udc80"])
def test_a_name_no_account_can_have_never_becomes_a_key(name):
    """None: not worth asking."""
    assert Encoder().encode(Admit(name, "u", "n")) is None


def test_a_word_may_hold_line_ends():
    """Lengths rule, not delimiters: nothing can be smuggled in."""
    assert words_of(command(b"AUTH", b"a\r\n*1\r\n$4\r\nQUIT\r\n")) == [b"AUTH", b"a\r\n*1\r\n$4\r\nQUIT\r\n"]


def test_caches_are_bounded():
    """More accounts and more nodes than are kept change nothing but the time it takes."""
    encoder = Encoder()

    for number in range(CACHED_ACCOUNTS + 2):
        data = encoder.encode(Admit(f"a{number}", "u", f"n{number}")) or b""
        assert words_of(data)[3] == b"{acct:a%d}" % number

        assert len(encoder._accounts) <= CACHED_ACCOUNTS
    assert len(encoder._tails) <= 64


ADMIT, ANSWER = Admit("a", "u", "n"), Answer("a", "u")
RENEW, SETTLE = Renew("a", ("u",), "n"), Settle("a", "u", "failed", 0)


@pytest.mark.parametrize(
    ("verb", "reply", "outcome"),
    [
        (
            ADMIT,
            [1, 1_700_000_000_000, 3, 2, 4, 5, 6, 7, 8, 9, b"g", 10, [b"caps"], 11, 12],
            Admitted(1_700_000_000_000, 3, 2, 4, 5, 6, 7, 8, 9, "g", 10, ("caps",), 11, 12),
        ),
        (ADMIT, [0, b"caps", 10, 10, 99, 1, 2, 3, 4, 5], Denied(Limit.CAPS, 10, 10, 99, InForce(1, 2, 3, 4, 5))),
        (SETTLE, [0, b"unknown", 0, 0, 0], Denied(Limit.UNKNOWN, 0, 0, 0)),
        (ANSWER, [1, 0], Answered(already=False)),
        (ANSWER, [1, 1], Answered(already=True)),
        (SETTLE, [1, 1, 7, 2, b""], Settled(already=True, charged_micros=7, marked=2)),
        (SETTLE, [1, 1, 7, 0, b"n2/7"], Settled(True, 7, 0, "n2/7")),
        (
            RENEW,
            [1, 5, [b"u", b"\xff"], [], [b"v"], [60], b"credit", 1],
            Renewed(5, ("u", "\ufffd"), (), ("v",), (60,), "credit", True),
        ),
    ],
)
def test_a_reply_is_an_outcome(verb, reply, outcome):
    """What the headers of the scripts say."""
    assert outcome == outcome_of(verb, reply)


@pytest.mark.parametrize("verb", [ADMIT, ANSWER, RENEW, SETTLE])
@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"OK",
        1,
        [],
        [1],
        [2, 1],
        [1, 2],
        [1, None],
        [1, b"1", 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, b"x"],
        [0, b"caps", 1, 1],
        [0, b"caps", 1, 1, None],
        [0, b"caps", 1, 1, 1, 1, 1, 1, 1],
        [0, b"caps", 1, 1, 1, 1, 1, 1, 1, b"1"],
        [0, b"nonsense", 1, 1, 1],
        [0, 1, 1, 1, 1],
        [0, [b"caps"], 1, 1, 1],
        [b"1", 1, 1, 1],
    ],
)
def test_what_no_script_gives_is_garbage(verb, reply):
    """Whatever its shape: refused, never guessed at."""
    with pytest.raises(Garbage):
        outcome_of(verb, reply)


def test_a_peek_is_a_usage():
    """The bucket is filled up to the store's instant by the one arithmetic there is."""
    fields = [b"status", b"active", b"caps_base", b"2", b"generation", b"7", b"calls_admitted", b"9"]
    bucket = [b"tokens_micro", b"500000", b"refilled_ms", b"1000"]

    call = [b"u", b"n", 31_000, 1_000, 0, 30, 5]
    full = usage_of("a", [1, 1_250, 1, fields, call, 2, [b"+33", b"1"], [b"status", b"9 active"], [b"since", b"1"]])
    half = usage_of("a", [1, 1_250, 1, [*fields, *bucket], call, 0, [], [], []])

    account = Account("a", caps_base=2, generation=7)
    counters = tuple((name, 9 if name == "calls_admitted" else 0) for name in COUNTERS)
    more = {"expired": 2, "prefixes": (("+33", 1),), "reverts": (("status", 9, "active"),), "shares": (("since", "1"),)}
    calls = (RunningCall("u", "n", 31_000, 1_000, 0, 30, 5),)
    assert full == Usage(account, 2_000_000, calls, 1, counters, now_ms=1_250, **more)
    assert half == Usage(account, 1_000_000, calls, 1, counters, now_ms=1_250)
    assert usage_of("a", [0, b"unknown", 0, 0, 0]) is None


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [1, 2],
        [1, 5, 0, b"x", [], 0, [], [], []],
        [1, 5, 0, [1], [], 0, [], [], []],
        [1, 5, 0, [], [], 0, [], [], []],
        [1, 5, 0, [b"status", b"active"], [], b"x", [], [], []],
        [1, 5, 0, [b"status", b"active"], [], 0, [b"+33"], [], []],
        [1, 5, 0, [b"status", b"active"], [], 0, [], [b"status", b"soon"], []],
        [1, 5, 0, [b"status", b"active", b"caps_base", b"many"], [], 0, [], [], []],
        [1, 5, 0, [b"status", b"active"], [], 0, [], [], [b"since"]],
        [1, 5, 0, [b"status", b"active", b"refilled_ms", b"1"], [], 0, [], [], []],
        [1, 5, 0, [b"status", b"active"], [b"u", b"n", 1], 0, [], [], []],
        [1, 5, 0, [b"status", b"active"], [b"u", b"n", 1, 2, 3, 4, b"x"], 0, [], [], []],
        [1, b"5", 0, [b"status", b"active", b"refilled_ms", b"1", b"tokens_micro", b"1"], [], 0, [], [], []],
    ],
)
def test_a_peek_that_makes_no_sense_is_garbage(reply):
    """An account spoilt by hand, or not our store."""
    with pytest.raises(Garbage):
        usage_of("a", reply)
