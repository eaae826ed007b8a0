"""What would be answered, and what then is: `AccountStore.foresee` against the script, over real servers."""

import pytest

from limits import Account, AccountId, AccountStatus, Admit, Admitted, Answer, Denied, Settle
from limits.account import Credit, PrefixCeiling
from limits.frequency import SHADOW, Contact, Contacted, Counts, Frequency, SpendGuard
from limits.model import GROUP, NOTHING_IN_FORCE
from limits.rates import Price

pytestmark = pytest.mark.parametrize("bench", ["valkey", "redis62", "cluster"], indirect=True)

DAY = 86_400_000
MINUTE = Price(0, 6_000_000, 60, 60, 0)
"""Six units a minute, whole minutes."""
NUMBER = Frequency("called-number", "k", 2, DAY)
SMALL = Frequency("small-system", "all", 2, 30 * DAY, Counts.DISTINCT, "x")
BROAD = {"caps_base": 1_000, "calls_base": 1_000}


async def agrees(bench, verb: Admit) -> str:
    """Foresee it, twice, then ask it: the same answer each time. Returns who said no; `+`: nobody."""
    foreseen = [(await bench.store.foresee(verb)).outcome for _ in range(2)]
    (outcome,) = await bench.ask(verb)
    for one in foreseen:
        assert type(one) is type(outcome)
        if isinstance(outcome, Denied) and isinstance(one, Denied):
            assert abs(one.retry_after_ms - outcome.retry_after_ms) < 5_000
            bare = [found._replace(retry_after_ms=0) for found in (one, outcome)]
            assert bare[0] == bare[1]
            assert one.in_force != NOTHING_IN_FORCE
        elif isinstance(outcome, Admitted) and isinstance(one, Admitted):
            same = [(found.in_use, found.ceiling, found.paid_s, found.held_micros, found.group, found.shadowed)
                    for found in (one, outcome)]  # fmt: skip
            assert same[0] == same[1]
    if isinstance(outcome, Denied):
        return f"{outcome.limit}:{outcome.name}" if outcome.name else outcome.limit.value
    assert isinstance(outcome, Admitted)
    return "+"


@pytest.mark.parametrize(
    ("values", "opening", "ask", "expected"),
    [
        ({}, 0, {}, "+"),
        ({"status": AccountStatus.SUSPENDED}, 0, {}, "suspended"),
        ({"status": AccountStatus.CLOSED}, 0, {}, "closed"),
        ({"caps_base": 0}, 0, {}, "caps"),
        ({"caps_base": 0, "shadow": frozenset({"caps"})}, 0, {}, "+"),
        ({"calls_base": 0}, 0, {}, "calls"),
        ({"prefix_ceilings": (PrefixCeiling("+338", 0, None),)}, 0, {"called": "+33899"}, "prefix_calls"),
        ({"prefix_ceilings": (PrefixCeiling("+338", None, 0),)}, 0, {"called": "+33899"}, "prefix_caps"),
        ({"prefix_ceilings": (PrefixCeiling("+338", 0, 0),)}, 0, {"called": "+33199"}, "+"),
        ({}, 0, {"price": MINUTE}, "credit"),
        ({}, 5_999_999, {"price": MINUTE}, "credit"),
        ({}, 6_000_000, {"price": MINUTE}, "+"),
        ({"credit": Credit.POSTPAID, "floor_micros": -6_000_000}, 0, {"price": MINUTE}, "+"),
        ({"spend_cap_hour_micros": 1}, 9_000_000, {"price": MINUTE}, "spend_hour"),
        ({"spend_cap_day_micros": 1}, 9_000_000, {"price": MINUTE}, "spend_day"),
        ({"max_rate_micros": 1}, 9_000_000, {"price": MINUTE}, "max_rate"),
        ({}, 9_000_000, {"price": MINUTE, "guard": SpendGuard("dear", 1)}, "guard:dear"),
        ({}, 9_000_000, {"price": MINUTE, "guard": SpendGuard("dear", 1, SHADOW)}, "+"),
        ({}, 0, {"contact": Contact("k", 2**52, 1)}, "contact:consent"),
        ({}, 0, {"frequencies": (NUMBER._replace(most=0),)}, "frequency:called-number"),
    ],
)  # fmt: skip
async def test_an_account_nobody_has_used(bench, account_id, values, opening, ask, expected):
    """Every limit by its value alone."""
    await bench.provision(Account(account_id, **{**BROAD, **values}), opening=opening)

    assert await agrees(bench, Admit(account_id, "a", "n", **ask)) == expected


async def test_nothing_is_taken(bench, account_id):
    """However often it is asked."""
    await bench.provision(Account(account_id, caps_base=1), opening=9_000_000)
    verb = Admit(account_id, "a", "n", price=MINUTE, frequencies=(NUMBER,), guard=SpendGuard("dear", 9_000_000))
    before = await bench.peek(account_id)
    for _ in range(3):
        assert isinstance((await bench.store.foresee(verb)).outcome, Admitted)

    after = await bench.peek(account_id)
    assert after is not None
    assert after._replace(now_ms=0) == before._replace(now_ms=0)


async def test_what_others_use_up(bench, account_id):
    """Tokens, calls, places in a window, money held under a guard, until the limit says no."""
    await bench.provision(Account(account_id, caps_base=3, calls_base=2), opening=14_000_000)
    verb = Admit(account_id, "a", "n", price=MINUTE, guard=SpendGuard("dear", 20_000_000))

    assert [await agrees(bench, verb._replace(uid=uid)) for uid in "abc"] == ["+", "+", "calls"]
    assert await agrees(bench, verb._replace(uid="d")) == "caps"
    foreseen = await bench.store.foresee(verb._replace(uid="d"))
    assert foreseen.spent("dear") == (0, 12_000_000)


async def test_what_a_guard_has_seen(bench, account_id):
    """Charged in this hour and held."""
    await bench.provision(Account(account_id, **BROAD), opening=90_000_000)
    verb = Admit(account_id, "a", "n", price=MINUTE, guard=SpendGuard("dear", 12_000_000))
    assert await agrees(bench, verb) == "+"
    await bench.ask(Answer(account_id, "a"), Settle(account_id, "a", "answered", 59_000))

    assert (await bench.store.foresee(verb)).spent("dear") == (6_000_000, 0)
    assert [await agrees(bench, verb._replace(uid=uid)) for uid in "bc"] == ["+", "guard:dear"]


async def test_how_often_a_number_was_called(bench, account_id):
    """Counted attempts, with their number; another key has its own."""
    await bench.provision(Account(account_id, **BROAD))
    verb = Admit(account_id, "a", "n", frequencies=(NUMBER,))

    assert [await agrees(bench, verb._replace(uid=uid)) for uid in "abc"] == ["+", "+", "frequency:called-number"]
    foreseen = await bench.store.foresee(verb)
    assert foreseen.used(NUMBER) == 2
    assert await agrees(bench, Admit(account_id, "d", "n", frequencies=(NUMBER._replace(key="l"),))) == "+"


async def test_how_many_different_numbers(bench, account_id):
    """One that is counted already is not one more; shares of placed and received stand beside it."""
    await bench.provision(Account(account_id, **BROAD))
    names = [("a", "x"), ("b", "y"), ("c", "x"), ("d", "z")]
    verbs = [Admit(account_id, uid, "n", frequencies=(SMALL._replace(item=item),)) for uid, item in names]

    assert [await agrees(bench, verb) for verb in verbs] == ["+", "+", "+", "frequency:small-system"]


async def test_what_is_recorded_of_a_person(bench, account_id):
    """A refusal stands before a consent given earlier; a later consent undoes nothing of it inside the sixty days."""
    await bench.provision(Account(account_id, **BROAD))
    verb = Admit(account_id, "a", "n", contact=Contact("k", 500, 100))
    assert await agrees(bench, verb) == "contact:consent"
    await bench.note(account_id, "k", Contacted(consent_ms=200))
    assert await agrees(bench, verb._replace(uid="b")) == "+"
    await bench.note(account_id, "k", Contacted(refused_ms=600))

    assert await agrees(bench, verb._replace(uid="c")) == "contact:refused"
    assert (await bench.store.foresee(verb)).sight.contacted == Contacted(refused_ms=600, consent_ms=200)


async def test_what_a_group_keeps_for_its_other_members(bench, account_id):
    """Reserved calls that are not used are not free for others, and are for whom they are reserved."""
    group = AccountId(GROUP + account_id)
    await bench.provision(Account(group, **{**BROAD, "calls_base": 2, "credit": Credit.NONE}))
    first = Admit(group, "a", "n", member="one", reserved=1)
    other = Admit(group, "b", "n", member="two", reserved=0)

    assert [await agrees(bench, verb) for verb in (first, other, other._replace(uid="c"))] == ["+", "+", "calls"]
