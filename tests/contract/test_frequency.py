"""How often, whom, and how much for one kind of destination; over the specification and over real servers."""

import pytest

from limits import Account, AccountId, Admit, Admitted, Answer, Denied, Limit, Renew, Settle
from limits.accounts import AccountStore
from limits.contacts import ContactBook, Note
from limits.frequency import (
    COUNT,
    SHADOW,
    Contact,
    Contacted,
    Counts,
    Frequency,
    SpendGuard,
)
from limits.model import Outcome
from limits.rates import Price
from limits.share import Share, share_of

DAY = 86_400_000
FOUR = Frequency("four", "k", 4, 30 * DAY)
SECOND = Price(0, 60_000_000, 1, 1, 0)
"""One unit (1,000,000 micro-units) a second."""


def told(outcomes: list[Outcome]) -> list[str]:
    """What refused, with its name; `+` for what passed."""
    found = []
    for outcome in outcomes:
        if isinstance(outcome, Denied):
            found.append(f"{outcome.limit}:{outcome.name}" if outcome.name else outcome.limit.value)
        else:
            found.append("+" if isinstance(outcome, Admitted) else type(outcome).__name__)
    return found


def often(account: AccountId, uid: str, *frequencies: Frequency, node: str = "n") -> Admit:
    return Admit(account, uid, node, frequencies=frequencies)


async def rich(bench, account_id: AccountId, **values) -> None:
    await bench.provision(Account(account_id, caps_base=1_000, calls_base=1_000, **values), opening=10**12)


# Attempts


async def test_the_fifth_attempt_is_refused(bench, account_id):
    """Four in the window, however many nodes ask; another key has a window of its own."""
    await rich(bench, account_id)

    first = await bench.ask(*[often(account_id, f"a{n}", FOUR) for n in range(2)])
    second = await bench.ask(*[often(account_id, f"b{n}", FOUR) for n in range(3)], through=1)
    other = await bench.ask(often(account_id, "c", FOUR._replace(key="l")))

    assert told([*first, *second, *other]) == ["+", "+", "+", "+", "frequency:four", "+"]
    assert (second[2].ceiling, second[2].in_use) == (4, 4)


async def test_a_place_is_free_when_the_oldest_leaves_the_window(bench, account_id):
    """To the millisecond the refusal tells."""
    await rich(bench, account_id)
    short = Frequency("short", "k", 2, 10_000)
    await bench.ask(often(account_id, "a", short))
    await bench.age(account_id, 4_000)
    await bench.ask(often(account_id, "b", short))
    refused = (await bench.ask(often(account_id, "c", short)))[0]

    assert 5_000 < refused.retry_after_ms <= 6_000
    await bench.age(account_id, 3_000)
    assert told(await bench.ask(often(account_id, "d", short))) == ["frequency:short"]
    await bench.age(account_id, 3_000)
    assert told(await bench.ask(often(account_id, "e", short), often(account_id, "f", short))) == [
        "+",
        "frequency:short",
    ]


async def test_what_is_refused_does_not_count(bench, account_id):
    """A refused attempt reached nobody: hammering does not push the window further away."""
    await rich(bench, account_id)
    one = Frequency("one", "k", 1, 10_000)
    await bench.ask(often(account_id, "a", one))
    for number in range(5):
        await bench.age(account_id, 1_000)
        assert told(await bench.ask(often(account_id, f"b{number}", one))) == ["frequency:one"]
    await bench.age(account_id, 5_000)

    assert told(await bench.ask(often(account_id, "c", one))) == ["+"]


async def test_refused_for_another_limit_it_does_not_count(bench, account_id):
    """All or nothing: an attempt that finds no free call has called nobody."""
    await bench.provision(Account(account_id, caps_base=100, calls_base=1))
    await bench.ask(Admit(account_id, "busy", "n"))
    one = Frequency("one", "k", 1, 10_000)

    assert told(await bench.ask(often(account_id, "a", one))) == ["calls"]
    await bench.ask(Settle(account_id, "busy", "failed", 0))

    assert told(await bench.ask(often(account_id, "b", one))) == ["+"]


async def test_two_frequencies_take_both_or_none(bench, account_id):
    """The first has room, the second has not: the first counts nothing."""
    await rich(bench, account_id)
    wide, narrow = Frequency("wide", "k", 2, 10_000), Frequency("narrow", "k", 1, 10_000)
    await bench.ask(often(account_id, "a", narrow))
    assert told(await bench.ask(often(account_id, "b", wide, narrow))) == ["frequency:narrow"]

    assert told(await bench.ask(often(account_id, "c", wide), often(account_id, "d", wide))) == ["+", "+"]


async def test_the_same_attempt_again_counts_once(bench, account_id):
    """While its lease runs, and also where it ran out and the same attempt is asked again."""
    await rich(bench, account_id)
    one = Frequency("one", "k", 1, DAY)
    found = await bench.ask(often(account_id, "a", one), often(account_id, "a", one))
    await bench.age(account_id, 31_000)
    again = await bench.ask(often(account_id, "a", one), often(account_id, "b", one))

    assert told([*found, *again]) == ["+", "+", "+", "frequency:one"]


async def test_none_at_all(bench, account_id):
    """A ceiling of 0 refuses, and no waiting is a cure."""
    await rich(bench, account_id)

    refused = (await bench.ask(often(account_id, "a", Frequency("no", "k", 0, 10_000))))[0]

    assert (refused.limit, refused.ceiling, refused.in_use, refused.retry_after_ms) == (Limit.FREQUENCY, 0, 0, 0)


async def test_an_attempt_that_was_never_sent_is_returned(bench, account_id):
    """And an answered one is not."""
    await rich(bench, account_id)
    one = Frequency("one", "k", 1, DAY)
    await bench.ask(often(account_id, "a", one), Settle(account_id, "a", "failed", 0, returned=(one,)))
    found = await bench.ask(
        often(account_id, "b", one), Settle(account_id, "b", "answered", 1_000), often(account_id, "c", one)
    )

    assert told(found) == ["+", "Settled", "frequency:one"]


async def test_a_settle_that_comes_twice_returns_once(bench, account_id):
    """The tombstone knows it."""
    await rich(bench, account_id)
    one = Frequency("one", "k", 1, DAY)
    await bench.ask(often(account_id, "a", one), Settle(account_id, "a", "answered", 1))

    found = await bench.ask(Settle(account_id, "a", "failed", 0, returned=(one,)), often(account_id, "b", one))

    assert told(found) == ["Settled", "frequency:one"]


async def test_a_larger_window_sees_what_a_smaller_one_left_behind(bench, account_id):
    """The window of the law is a number of days of the calendar, and one of them may have 25 hours."""
    await rich(bench, account_id)
    short, long = Frequency("days", "k", 2, 10_000), Frequency("days", "k", 2, 13_000)
    await bench.ask(often(account_id, "a", short))
    await bench.age(account_id, 6_000)
    await bench.ask(often(account_id, "b", short))
    await bench.age(account_id, 5_000)

    assert told(await bench.ask(often(account_id, "c", long))) == ["frequency:days"]
    assert told(await bench.ask(often(account_id, "d", short))) == ["+"]


async def test_shadowed_it_is_judged_counted_and_lets_pass(bench, account_id):
    """By itself, or with the account's `shadow`; told by its name, counted under the limit's."""
    await rich(bench, account_id)
    one = Frequency("one", "k", 1, DAY, mode=SHADOW)
    found = await bench.ask(*[often(account_id, f"a{n}", one) for n in range(3)])
    assert [outcome.shadowed for outcome in found] == [(), ("frequency:one",), ("frequency:one",)]

    await bench.change(account_id, generation=1, patch={"shadow": frozenset({"frequency"})})
    enforced = (await bench.ask(often(account_id, "b", one._replace(mode="enforce"))))[0]

    assert enforced.shadowed == ("frequency:one",)
    assert dict((await bench.peek(account_id)).counters)["shadow_frequency"] == 3


async def test_a_refusal_spends_the_token(bench, account_id):
    """R6: who hammers meets CAPS."""
    await bench.provision(Account(account_id, caps_base=2, calls_base=100))
    nobody = Frequency("no", "k", 0, 10_000)

    found = await bench.ask(*[often(account_id, f"a{n}", nobody) for n in range(3)])

    assert told(found) == ["frequency:no", "frequency:no", "caps"]


# Different items


async def test_five_different_numbers(bench, account_id):
    """A number called before is no new one; the sixth different one is too many."""
    await rich(bench, account_id)
    few = Frequency("few", "-", 5, 30 * DAY, Counts.DISTINCT)
    wanted = ["1", "2", "3", "2", "4", "5", "1", "6", "5", "6"]
    found = await bench.ask(*[often(account_id, f"u{n}", few._replace(item=item)) for n, item in enumerate(wanted)])

    assert told(found) == ["+", "+", "+", "+", "+", "+", "+", "frequency:few", "+", "frequency:few"]


async def test_what_is_only_counted_decides_later(bench, account_id):
    """A system that reached a thousand numbers under another CLI is no small one."""
    await rich(bench, account_id)
    few = Frequency("few", "-", 5, 30 * DAY, Counts.DISTINCT)
    counted = few._replace(mode=COUNT)
    await bench.ask(*[often(account_id, f"u{n}", counted._replace(item=f"{n}")) for n in range(20)])

    assert told(await bench.ask(often(account_id, "v", few._replace(item="19")))) == ["frequency:few"]
    await bench.age(account_id, 30 * DAY)
    assert told(await bench.ask(often(account_id, "w", few._replace(item="19")))) == ["+"]


# Marks


async def test_marks_are_left_by_calls_that_ended(bench, account_id):
    """An attempt reads them and adds none."""
    await rich(bench, account_id)
    pings = Frequency("pings", "k", 2, 60_000, Counts.MARKS)
    found = await bench.ask(
        often(account_id, "a", pings),
        Settle(account_id, "a", "cancelled", 0, marks=(pings,)),
        often(account_id, "b", pings),
        Settle(account_id, "b", "cancelled", 0),
        often(account_id, "c", pings),
        Settle(account_id, "c", "cancelled", 0, marks=(pings,)),
        often(account_id, "d", pings),
    )
    assert told(found)[::2] == ["+", "+", "+", "frequency:pings"]
    assert found[6].in_use == 2

    await bench.age(account_id, 60_000)
    assert told(await bench.ask(often(account_id, "e", pings))) == ["+"]


# Whom

ASKED = Contact("digest", refused_since_ms=1_000)


@pytest.mark.parametrize(
    ("recorded", "asked", "expected"),
    [
        (Contacted(), ASKED, "+"),
        (Contacted(refused_ms=999), ASKED, "+"),
        (Contacted(refused_ms=1_000), ASKED, "contact:refused"),
        (Contacted(refused_ms=5_000), ASKED, "contact:refused"),
        (Contacted(), ASKED._replace(consent_since_ms=500), "contact:consent"),
        (Contacted(consent_ms=499), ASKED._replace(consent_since_ms=500), "contact:consent"),
        (Contacted(consent_ms=500), ASKED._replace(consent_since_ms=500), "+"),
        (Contacted(consent_ms=600, withdrawn_ms=600), ASKED._replace(consent_since_ms=500), "contact:consent"),
        (Contacted(consent_ms=601, withdrawn_ms=600), ASKED._replace(consent_since_ms=500), "+"),
        (Contacted(consent_ms=600, refused_ms=700), ASKED._replace(consent_since_ms=500), "contact:consent"),
        (Contacted(consent_ms=800, refused_ms=700), ASKED._replace(consent_since_ms=500), "+"),
        (Contacted(contract_ms=2**52), ASKED._replace(consent_since_ms=500), "+"),
        (Contacted(contract_ms=900), ASKED._replace(consent_since_ms=500), "contact:consent"),
        (
            Contacted(contract_ms=2**52),
            ASKED._replace(consent_since_ms=500, is_contract_enough=False),
            "contact:consent",
        ),
        (Contacted(contract_ms=2**52, refused_ms=1_000), ASKED._replace(consent_since_ms=500), "contact:refused"),
        (Contacted(consent_ms=600), ASKED._replace(hours_since_ms=500), "contact:hours"),
        (Contacted(hours_ms=600), ASKED._replace(hours_since_ms=500), "+"),
        (Contacted(hours_ms=600, withdrawn_ms=650), ASKED._replace(hours_since_ms=500), "contact:hours"),
        (Contacted(contract_ms=2**52), ASKED._replace(hours_since_ms=500), "contact:hours"),
    ],
)
async def test_whom(bench, account_id, recorded, asked, expected):
    """A refusal forbids, and undoes the consents before it; a consent may be needed, and another one for the hour."""
    await rich(bench, account_id)
    assert await bench.note(account_id, "digest", recorded) == recorded

    found = await bench.ask(Admit(account_id, "a", "n", contact=asked), Admit(account_id, "b", "n", contact=ASKED))

    assert told(found)[0] == expected


async def test_of_each_instant_the_latest_counts(bench, account_id):
    """In whatever order things are recorded, and however often."""
    await rich(bench, account_id)
    await bench.note(account_id, "k", Contacted(refused_ms=50, consent_ms=70))

    for _ in range(2):
        after = await bench.note(account_id, "k", Contacted(refused_ms=40, consent_ms=80, contract_ms=9))

    assert after == Contacted(refused_ms=50, consent_ms=80, contract_ms=9)


async def test_a_shadowed_contact_lets_pass(bench, account_id):
    """And says so."""
    await rich(bench, account_id)
    asked = Contact("nobody", 1, consent_since_ms=1, mode=SHADOW)

    found = (await bench.ask(Admit(account_id, "a", "n", contact=asked)))[0]

    assert found.shadowed == ("contact:consent",)


# How much


def dear(account: AccountId, uid: str, most: int, mode: str = "enforce") -> Admit:
    return Admit(account, uid, "n", price=SECOND, guard=SpendGuard("premium", most * 1_000_000, mode))


async def test_a_guard_bounds_what_its_calls_hold(bench, account_id):
    """100 units an hour: one interval of 60 s, then what is left, then nothing; other calls are free of it."""
    await rich(bench, account_id)

    found = await bench.ask(*[dear(account_id, f"a{n}", 100) for n in range(3)])
    free = (await bench.ask(Admit(account_id, "free", "n", price=SECOND)))[0]

    assert told(found) == ["+", "+", "guard:premium"]
    assert [outcome.paid_s for outcome in found[:2]] == [60, 40]
    assert (found[2].ceiling, found[2].in_use) == (100_000_000, 100_000_000)
    assert 0 < found[2].retry_after_ms <= 3_600_000
    assert free.paid_s == 60


async def test_what_was_charged_counts_and_what_was_not_used_returns(bench, account_id):
    """A call of 10 s leaves 90 of 100 units."""
    await rich(bench, account_id)
    await bench.ask(dear(account_id, "a", 100), Settle(account_id, "a", "answered", 10_000))

    found = await bench.ask(dear(account_id, "b", 100), dear(account_id, "c", 100))

    assert [outcome.paid_s for outcome in found] == [60, 30]


async def test_a_renewal_is_bounded_by_the_guard(bench, account_id):
    """The call is cut when the hour's money for such calls is spent, not only new ones refused."""
    await rich(bench, account_id)
    await bench.ask(dear(account_id, "a", 100))

    first = (await bench.ask(Renew(account_id, ("a",), "n", talk_ms=(50_000,), prices=(SECOND,))))[0]
    second = (await bench.ask(Renew(account_id, ("a",), "n", talk_ms=(99_000,), prices=(SECOND,))))[0]

    assert (first.paid_s, first.dry) == ((100,), "")
    assert (second.paid_s, second.dry) == ((100,), "guard")


async def test_an_expired_lease_is_charged_under_its_guard(bench, account_id):
    """The hold returns, what was talked stays."""
    await rich(bench, account_id)
    await bench.ask(dear(account_id, "a", 100), Renew(account_id, ("a",), "n", talk_ms=(20_000,), prices=(SECOND,)))
    await bench.age(account_id, 31_000)

    refused = (await bench.ask(*[dear(account_id, f"b{n}", 100) for n in range(3)]))[-1]

    assert told([refused]) == ["guard:premium"]
    assert refused.in_use == 100_000_000


async def test_a_shadowed_guard_lets_pass(bench, account_id):
    """Admission and renewals."""
    await rich(bench, account_id)

    found = await bench.ask(dear(account_id, "a", 0, SHADOW))

    assert (found[0].shadowed, found[0].paid_s) == (("guard:premium",), 60)


async def test_a_guard_without_a_price_asks_nothing(bench, account_id):
    """Money that nobody counts cannot be bounded."""
    await rich(bench, account_id)

    asked = Admit(account_id, "a", "n", guard=SpendGuard("premium", 0))

    assert told(await bench.ask(asked)) == ["+"]


# Placed against received (numbering plan 2.3.2 f)


SMALL = Frequency("small", "all", 1, 30 * DAY, Counts.DISTINCT, "a", unless_percent=20)


def placed(account: AccountId, uid: str, item: str, **change) -> Admit:
    return often(account, uid, SMALL._replace(item=item, **change))


def received(account: AccountId, calls: int, since: str = "r") -> list[Answer]:
    return [Answer(account, f"{since}{number}", is_received=True) for number in range(calls)]


async def test_a_fifth_of_what_was_received_1_2_3(bench, account_id):
    """More numbers than a small system has, but its calls are at most 20 % of those received, over all nodes and the
    last 30 days: what was placed and received before counts no more."""
    await rich(bench, account_id)
    await bench.ask(placed(account_id, "p0", "a"), *received(account_id, 90))
    await bench.age(account_id, 40 * DAY)
    await bench.ask(placed(account_id, "p1", "a"), *received(account_id, 9))

    nine = await bench.ask(placed(account_id, "p2", "b"))
    await bench.ask(*received(account_id, 1, "s"), through=1)
    ten = await bench.ask(placed(account_id, "p3", "b"), placed(account_id, "p4", "c"), through=1)

    assert told([*nine, *ten]) == ["frequency:small", "+", "frequency:small"]
    usage = await bench.peek(account_id)
    share = share_of(dict(usage.shares), window_ms=30 * DAY, now_ms=usage.now_ms)
    assert share == Share(placed=2, received=10, is_whole=True)


async def test_the_same_attempt_is_placed_once(bench, account_id):
    """Asked again by its node it is no second call; what the limits refuse was not placed."""
    await rich(bench, account_id)
    await bench.ask(placed(account_id, "p1", "a"), placed(account_id, "p1", "a"), placed(account_id, "p2", "b"))

    usage = await bench.peek(account_id)
    assert share_of(dict(usage.shares), window_ms=30 * DAY, now_ms=usage.now_ms) == Share(1, 0, False)


async def test_who_receives_needs_no_lease(bench, account_id):
    """Nothing but the count is touched: neither calls nor counters; a holder nobody knows counts nothing."""
    await rich(bench, account_id)
    before = await bench.peek(account_id)

    assert told(await bench.ask(*received(account_id, 2))) == ["Answered", "Answered"]
    assert told(await bench.ask(Answer(AccountId("nobody"), "u", is_received=True))) == ["unknown"]

    after = await bench.peek(account_id)
    assert after._replace(shares=(), now_ms=0, tokens_micro=0) == before._replace(shares=(), now_ms=0, tokens_micro=0)


async def test_without_a_whole_window_nothing_is_allowed(bench, account_id):
    """Counting began today: nobody knows what was placed before."""
    await rich(bench, account_id)
    await bench.ask(*received(account_id, 100))

    assert told(await bench.ask(placed(account_id, "p1", "a"), placed(account_id, "p2", "b"))) == [
        "+",
        "frequency:small",
    ]


@pytest.mark.parametrize("server", ["valkey", "redis62", "cluster"])
async def test_people_are_recorded_of_the_professional(server_urls, server, account_id):
    """By whichever of its accounts; the latest word of the policy counts."""
    professional = AccountId(f"professional:{account_id}")
    async with AccountStore(server_urls[server]) as store, ContactBook(server_urls[server]) as book:
        await store.provision([Account(account_id), Account(professional)])
        await book.share({account_id: account_id})
        await book.note(account_id, [Note("k", Contacted(refused_ms=7), 60_000, "test")])
        assert await book.holder_of(account_id) == professional
        assert (await book.read(account_id, "k", frequency="four")).happened.refused_ms == 7

        await book.share({})
        assert await book.holder_of(account_id) == account_id
        assert (await book.read(account_id, "k", frequency="four")).happened.refused_ms == 0
