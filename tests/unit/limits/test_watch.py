"""Answers that hold, and what a broken invariant looks like in one."""

import pytest

from limits import Admit, Admitted, Denied, Limit, MemoryLimiter, Outcome, Settle, Settled, Verb
from limits.account import Account, PrefixCeiling
from limits.model import GIVEN_BACK
from limits.rates import Price, cost
from limits.watch import CAPACITY, INVARIANTS, Watch

PRICE = Price(0, 600_000, 30, 6, 0)
"""0.01 a second."""
GOOD = Admitted(31_000, 3, 1, 3, 10, 10, 9_000_000)
LATER = GOOD._replace(lease_until_ms=31_100, tokens_micro=9_000_000)
"""100 ms later the bucket has one token more, and this attempt took it."""
PAID = GOOD._replace(paid_s=60, held_micros=600_000)


def admit(uid: str = "u", **more: object) -> Admit:
    return Admit("acme", uid, "n", **more)


def broken(*answers: tuple[Verb, Outcome]) -> dict[str, int]:
    """What is seen in these, one after the other."""
    watch = Watch()
    for verb, outcome in answers:
        watch.see(verb, outcome)
    return {name: count for name, count in watch.broken.items() if count}


@pytest.mark.parametrize(
    ("verb", "outcome", "invariant"),
    [
        (admit(), GOOD, None),
        (admit(), GOOD._replace(in_use=4), "no_over_admission"),
        (admit(), GOOD._replace(in_use=4, shadowed=("calls",)), None),
        (admit(price=PRICE), PAID, None),
        (admit(price=PRICE), PAID._replace(held_micros=599_999), "no_over_spend"),
        (admit(price=PRICE), PAID._replace(paid_s=24, held_micros=cost(PRICE, 24_000)), "no_over_spend"),
        (admit(price=PRICE), PAID._replace(paid_s=0, held_micros=0), "no_over_spend"),
        (admit(price=PRICE), PAID._replace(paid_s=0, held_micros=0, shadowed=("credit",)), None),
        (admit(), Denied(Limit.CALLS, 3, 3, 0), None),
        (admit(), Denied(Limit.CALLS, 3, 2, 0), "no_false_refusal"),
        (admit(member="acme"), Denied(Limit.CALLS, 3, 2, 0), None),
        (admit(), Denied(Limit.PREFIX_CALLS, 3, 2, 0), "no_false_refusal"),
        (admit(), Denied(Limit.CAPS, 10, 10, 100), None),
        (admit(), Denied(Limit.CAPS, 10, 10, 101), "no_false_refusal"),
        (admit(), Denied(Limit.CAPS, 10, 10, 0), "no_false_refusal"),
        (admit(), Denied(Limit.CAPS, 0, 0, 0), None),
        (admit(price=PRICE), Denied(Limit.CREDIT, 299_999, 300_000, 0), None),
        (admit(price=PRICE), Denied(Limit.CREDIT, 300_000, 300_000, 0), "no_false_refusal"),
        (admit(price=PRICE), Denied(Limit.MAX_RATE, 600_000, 600_001, 0), None),
        (admit(price=PRICE), Denied(Limit.MAX_RATE, 600_000, 600_000, 0), "no_false_refusal"),
        (admit(price=PRICE), Denied(Limit.SPEND_DAY, 1_000_000, 700_001, 9), None),
        (admit(price=PRICE), Denied(Limit.SPEND_HOUR, 1_000_000, 700_000, 9), "no_false_refusal"),
        (admit(), Denied(Limit.SUSPENDED, 0, 0, 0), None),
        (Settle("acme", "u", "answered", 31_000, PRICE), Settled(False, 360_000), None),
        (Settle("acme", "u", "answered", 31_000, PRICE), Settled(False, 300_000), "conservation"),
        (Settle("acme", "u", "failed", 0, PRICE), Settled(False, 1), "conservation"),
        (Settle("acme", "u", GIVEN_BACK, 0), Settled(False, 0), None),
        (Settle("acme", "u", "answered", 31_000, PRICE), Settled(True, 300_000), None),
    ],
)
def test_one_answer(verb, outcome, invariant):
    """Each shows the invariant it breaks, and no other."""
    assert broken((verb, outcome)) == ({invariant: 1} if invariant else {})


@pytest.mark.parametrize(
    ("second", "uid", "count"),
    [
        (LATER, "v", 0),
        (LATER._replace(tokens_micro=8_000_000), "v", 0),  # another node took one
        (LATER._replace(tokens_micro=9_000_001), "v", 1),
        (LATER._replace(tokens_micro=-1), "v", 1),
        (LATER._replace(tokens_micro=9_000_001), "u", 0),  # the same attempt again takes nothing
        (LATER._replace(tokens_micro=9_000_001, generation=2), "v", 0),  # an operator has made the bucket larger
        (LATER._replace(tokens_micro=9_000_001, lease_until_ms=30_999), "v", 0),  # told out of order
    ],
)
def test_two_attempts_in_turn(second, uid, count):
    """A bucket holds no more than what it held, what came in since, less the token of this attempt."""
    assert broken((admit(), GOOD), (admit(uid), second)).get("no_over_rate", 0) == count


def test_a_store_that_lost_its_data_begins_with_full_buckets():
    """That is told elsewhere."""
    watch = Watch()
    watch.see(admit(), GOOD)
    watch.forget()
    watch.see(admit("v"), GOOD._replace(lease_until_ms=31_001))
    assert watch.broken == dict.fromkeys(INVARIANTS, 0)


def test_it_is_bounded():
    """Holders are forgotten all at once."""
    watch = Watch()
    for number in range(CAPACITY + 2):
        watch.see(Admit(f"acme{number}", "u", "n"), GOOD)
        assert len(watch._last) <= CAPACITY
    assert watch._last


def test_nothing_is_seen_in_what_the_specification_answers():
    """Hundreds of attempts on every limit, at every pace."""
    now = 1_000_000
    watch = Watch()
    denied = set()

    def deliver(verb: Verb, outcome: Outcome) -> None:
        watch.see(verb, outcome)
        if isinstance(outcome, Denied):
            denied.add(outcome.limit)

    limiter = MemoryLimiter(deliver, lambda: now)
    ceilings = (PrefixCeiling("+331", 1, 3),)
    values = Account("acme", caps_base=5, caps_burst=9, calls_base=2, prefix_ceilings=ceilings, max_rate_micros=900_000)
    limiter.provision([values], opening={"acme": 3_000_000})
    for number in range(600):
        price = PRICE._replace(rate_micros=PRICE.rate_micros * (1 + (number % 7 == 0)))
        limiter.submit(Admit("acme", f"u{number}", "n", price=price, called="+3314" if number % 3 else "+49"))
        if number % 5:
            limiter.submit(Settle("acme", f"u{number - 3}", "answered" if number % 2 else "failed", number * 10, price))
        limiter.flush()
        now += (0, 1, 90, 400, 31_000)[number * 7 % 5] if number % 50 == 0 else number % 300
    assert watch.broken == dict.fromkeys(INVARIANTS, 0)
    assert {Limit.CAPS, Limit.CALLS, Limit.PREFIX_CAPS, Limit.PREFIX_CALLS, Limit.MAX_RATE, Limit.CREDIT} <= denied
