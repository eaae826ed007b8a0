"""Ceilings by prefix, groups with reservations, changes for a time; over the specification and over real servers."""

import pytest

from limits import Account, AccountId, Admit, Admitted, Limit, Renew, Settle
from limits.account import Credit, PrefixCeiling
from limits.model import Outcome


def limits_of(outcomes: list[Outcome]) -> list[str]:
    """What refused; `+` for what passed."""
    return ["+" if isinstance(outcome, Admitted) else outcome.limit.value for outcome in outcomes]


def call(account: AccountId, uid: str, called: str = "") -> Admit:
    return Admit(account, uid, "n", called=called)


# Prefixes


async def test_the_longest_prefix_with_a_ceiling_applies(bench, account_id):
    """And only that one: a call to +3389 does not count for +33."""
    ceilings = (PrefixCeiling("+33", 2, None), PrefixCeiling("+3389", 1, None))
    await bench.provision(Account(account_id, caps_base=50, prefix_ceilings=ceilings))

    found = await bench.ask(
        call(account_id, "a", "+33890000000"),
        call(account_id, "b", "+33890000000"),
        call(account_id, "c", "+33140000000"),
        call(account_id, "d", "+33140000000"),
        call(account_id, "e", "+33140000000"),
        call(account_id, "f", "+44200000000"),
    )

    assert limits_of(found) == ["+", "prefix_calls", "+", "+", "prefix_calls", "+"]
    assert (await bench.peek(account_id)).prefixes == (("+33", 2), ("+3389", 1))


async def test_a_settled_or_expired_call_frees_its_place_under_the_prefix(bench, account_id):
    """As it frees its place in the account."""
    await bench.provision(Account(account_id, caps_base=50, prefix_ceilings=(PrefixCeiling("+33", 1, None),)))
    await bench.ask(call(account_id, "a", "+331"), Settle(account_id, "a", "failed", 0))
    assert limits_of(await bench.ask(call(account_id, "b", "+331"))) == ["+"]

    await bench.age(account_id, 30_000)

    assert limits_of(await bench.ask(call(account_id, "c", "+331"))) == ["+"]


async def test_a_renewed_call_keeps_its_place_under_the_prefix(bench, account_id):
    """Beyond its first lease."""
    await bench.provision(Account(account_id, caps_base=50, prefix_ceilings=(PrefixCeiling("+33", 1, None),)))
    await bench.ask(call(account_id, "a", "+331"))
    await bench.age(account_id, 20_000)
    await bench.ask(Renew(account_id, ("a",), "n"))
    await bench.age(account_id, 20_000)

    assert limits_of(await bench.ask(call(account_id, "b", "+331"))) == ["prefix_calls"]


async def test_a_prefix_has_a_bucket_of_its_own(bench, account_id):
    """2 attempts at once, one token more each half second."""
    await bench.provision(Account(account_id, caps_base=50, prefix_ceilings=(PrefixCeiling("+33", None, 2),)))

    found = await bench.ask(*[call(account_id, f"u{number}", "+331") for number in range(3)])
    await bench.age(account_id, 500)
    later = await bench.ask(call(account_id, "v", "+331"), call(account_id, "w", "+331"))

    assert limits_of(found) == ["+", "+", "prefix_caps"]
    assert limits_of(later) == ["+", "prefix_caps"]
    assert 0 < found[2].retry_after_ms <= 500


# Groups


@pytest.fixture
def group(account_id) -> AccountId:
    """Three calls for all members together."""
    return AccountId(f"group:{account_id}")


def member(group: AccountId, uid: str, name: str, reserved: int = 0) -> Admit:
    return Admit(group, uid, "n", member=name, reserved=reserved)


async def pool(bench, group: AccountId, calls: int) -> None:
    await bench.provision(Account(group, caps_base=50, calls_base=calls, credit=Credit.NONE))


async def test_an_admitted_call_is_told_its_group(bench, account_id):
    """And what the account has reserved there: the next to be asked."""
    await bench.provision(Account(account_id, caps_base=50, group="reseller", calls_reserved=2))

    passed = (await bench.ask(call(account_id, "a")))[0]

    assert (passed.group, passed.reserved) == ("reseller", 2)


async def test_what_a_member_has_reserved_is_never_borrowed(bench, group):
    """3 places, 2 reserved by b: a gets one, b its two; when b leaves, they stay its own."""
    await pool(bench, group, 3)
    await bench.ask(member(group, "b1", "b", 2), Settle(group, "b1", "failed", 0))

    found = await bench.ask(
        member(group, "a1", "a"), member(group, "a2", "a"), member(group, "b2", "b", 2), member(group, "b3", "b", 2)
    )
    await bench.ask(Settle(group, "b2", "answered", 1))
    after = await bench.ask(member(group, "a3", "a"), member(group, "b4", "b", 2))

    assert limits_of(found) == ["+", "calls", "+", "+"]
    assert limits_of(after) == ["calls", "+"]


async def test_a_member_borrows_what_the_group_has_left(bench, group):
    """Beyond its own reservation, up to the ceiling."""
    await pool(bench, group, 3)

    found = await bench.ask(*[member(group, f"a{number}", "a", 1) for number in range(4)])

    assert limits_of(found) == ["+", "+", "+", "calls"]


async def test_a_lowered_reservation_frees_places_at_once(bench, group):
    """With the member's next attempt."""
    await pool(bench, group, 2)
    await bench.ask(member(group, "b1", "b", 2))
    assert limits_of(await bench.ask(member(group, "a1", "a"))) == ["calls"]

    await bench.ask(Settle(group, "b1", "failed", 0), member(group, "b2", "b", 0))

    assert limits_of(await bench.ask(member(group, "a2", "a"))) == ["+"]


# Changes for a time


async def test_a_raise_for_a_time_reverts_by_itself(bench, account_id):
    """At the first verb after its end; the generation says that something changed."""
    await bench.provision(Account(account_id, caps_base=50, calls_base=1))
    raised = await bench.change(account_id, generation=1, patch={"calls_base": 3}, for_ms=60_000)
    assert (raised.calls_base, raised.generation) == (3, 2)
    assert limits_of(await bench.ask(call(account_id, "a"), call(account_id, "b"))) == ["+", "+"]

    await bench.age(account_id, 60_001)

    assert limits_of(await bench.ask(call(account_id, "c"), call(account_id, "d"))) == ["+", "calls"]
    usage = await bench.peek(account_id)
    assert (usage.account.calls_base, usage.account.generation, usage.reverts) == (1, 3, ())


async def test_a_raise_on_a_raise_returns_to_what_was_before_both(bench, account_id):
    """And at the later end."""
    await bench.provision(Account(account_id, calls_base=1))
    await bench.change(account_id, generation=1, patch={"calls_base": 3}, for_ms=60_000)
    await bench.change(account_id, generation=2, patch={"calls_base": 5}, for_ms=120_000)

    await bench.age(account_id, 60_001)
    assert (await bench.peek(account_id)).account.calls_base == 5
    await bench.age(account_id, 60_000)
    assert (await bench.peek(account_id)).account.calls_base == 1


async def test_a_change_for_good_ends_the_waiting(bench, account_id):
    """Of its own values only."""
    await bench.provision(Account(account_id, calls_base=1, caps_base=1))
    await bench.change(account_id, generation=1, patch={"calls_base": 3, "caps_base": 9}, for_ms=60_000)
    await bench.change(account_id, generation=2, patch={"calls_base": 4})

    await bench.age(account_id, 60_001)

    account = (await bench.peek(account_id)).account
    assert (account.calls_base, account.caps_base) == (4, 1)


async def test_a_cut_is_told_at_the_next_renewal(bench, account_id):
    """Suspended alone, running calls go on."""
    await bench.provision(Account(account_id))
    await bench.ask(call(account_id, "a"))
    await bench.change(account_id, generation=1, patch={"status": "suspended"})
    assert not (await bench.ask(Renew(account_id, ("a",), "n")))[0].is_cut

    await bench.change(account_id, generation=2, patch={"is_cut": True})

    assert (await bench.ask(Renew(account_id, ("a",), "n")))[0].is_cut
    assert limits_of(await bench.ask(call(account_id, "b"))) == [Limit.SUSPENDED.value]
