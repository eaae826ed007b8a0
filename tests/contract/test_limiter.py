"""The contract of the limiter, over the specification and over real servers.

Instants: CAPS are chosen so low that the few milliseconds a test takes cannot fill a bucket; all other time is `age`.
"""

import pytest
from answers import bare

from limits import (
    Account,
    AccountStatus,
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
    StaleGeneration,
    UnknownAccount,
    Usage,
)
from limits.model import DEFAULT_LEASE_MS, GIVEN_BACK, TOMBSTONE_MS, InForce
from limits.rate import MICRO


def admitted(outcomes: list[Outcome]) -> int:
    return sum(isinstance(outcome, Admitted) for outcome in outcomes)


def limit_of(outcome: Outcome) -> Limit | None:
    return outcome.limit if isinstance(outcome, Denied) else None


async def look(bench, account) -> Usage:
    usage = await bench.peek(account)
    assert usage is not None
    return usage


async def count(bench, account, name: str) -> int:
    return dict((await look(bench, account)).counters)[name]


# Status


async def test_an_account_the_store_does_not_hold_is_unknown_to_every_verb(bench, account_id):
    """One status: a missing hash answers any verb, and a peek tells nothing."""
    verbs = (
        Admit(account_id, "u", "n"),
        Answer(account_id, "u"),
        Renew(account_id, ("u",), "n"),
        Settle(account_id, "u", "answered", 1),
    )

    assert bare(await bench.ask(*verbs)) == [Denied(Limit.UNKNOWN, 0, 0, 0)] * 4
    assert await bench.peek(account_id) is None


@pytest.mark.parametrize("name", ["", "a}b", "a{b", "with space", "é", "\ud800", "x" * 129])
async def test_a_name_no_account_can_have_is_unknown(bench, name):
    """A hostile name (it may come out of a header) is judged before it becomes part of a key."""
    assert bare(await bench.ask(Admit(name, "u", "n"))) == [Denied(Limit.UNKNOWN, 0, 0, 0)]
    assert await bench.peek(name) is None


@pytest.mark.parametrize(
    ("status", "limit"), [(AccountStatus.SUSPENDED, Limit.SUSPENDED), (AccountStatus.CLOSED, Limit.CLOSED)]
)
async def test_a_status_that_is_not_active_denies_before_anything_is_spent(bench, account_id, status, limit):
    """Suspended and closed come first in the order of the checks."""
    await bench.provision(Account(account_id, status=status, caps_base=5))

    assert bare(await bench.ask(Admit(account_id, "u", "n"))) == [Denied(limit, 0, 0, 0)]
    assert (await look(bench, account_id)).tokens_micro == 5 * MICRO


# Admit


async def test_admit_takes_a_lease_and_a_token(bench, account_id):
    """The answer carries the instant, the calls in use with this one, and the generation."""
    await bench.provision(Account(account_id, caps_base=2, calls_base=3))

    first, second = await bench.ask(Admit(account_id, "u1", "n"), Admit(account_id, "u2", "n", 5_000))

    assert isinstance(first, Admitted)
    assert isinstance(second, Admitted)
    assert (first.in_use, second.in_use, first.generation) == (1, 2, 1)
    assert abs(first.lease_until_ms - second.lease_until_ms - 25_000) < 1_000
    usage = await look(bench, account_id)
    assert [call[:3] for call in usage.calls] == [("u2", "n", second.lease_until_ms), ("u1", "n", first.lease_until_ms)]
    assert usage.in_use == 2


async def test_the_same_attempt_again_is_the_same_answer_and_one_token(bench, account_id):
    """A re-sent INVITE of the same attempt spends one token in all (R6)."""
    await bench.provision(Account(account_id, caps_base=1, caps_burst=2))

    first, again, third = await bench.ask(*[Admit(account_id, "u1", "n")] * 2, Admit(account_id, "u2", "n"))

    assert first == again._replace(tokens_micro=first.tokens_micro)
    assert isinstance(third, Admitted)
    assert await count(bench, account_id, "calls_admitted") == 2


async def test_a_uid_held_by_another_node_is_a_duplicate(bench, account_id):
    """Two nodes cannot both hold one call."""
    await bench.provision(Account(account_id, caps_base=5))

    await bench.ask(Admit(account_id, "u1", "north"))

    assert bare(await bench.ask(Admit(account_id, "u1", "south"), through=1)) == [Denied(Limit.DUPLICATE, 0, 0, 0)]


async def test_a_settled_uid_is_a_duplicate_until_its_tombstone_is_gone(bench, account_id):
    """A late copy of an INVITE does not bring back a call that is over."""
    await bench.provision(Account(account_id, caps_base=5))
    await bench.ask(Admit(account_id, "u1", "n"), Settle(account_id, "u1", "answered", 1))

    assert bare(await bench.ask(Admit(account_id, "u1", "n"))) == [Denied(Limit.DUPLICATE, 0, 0, 0)]
    await bench.age(account_id, TOMBSTONE_MS + 1)
    assert admitted(await bench.ask(Admit(account_id, "u1", "n"))) == 1


async def test_a_settle_that_overtakes_its_admit_wins(bench, account_id):
    """Admit after settle takes nothing: nobody is left to release it."""
    await bench.provision(Account(account_id, caps_base=5))

    late, refused = await bench.ask(Settle(account_id, "u1", "cancelled", 0), Admit(account_id, "u1", "n"))

    assert late == Settled(already=True)
    assert limit_of(refused) is Limit.DUPLICATE
    assert (await look(bench, account_id)).in_use == 0


async def test_answers_come_in_the_order_of_the_verbs(bench, account_id):
    """Also with many verbs in one flush."""
    await bench.provision(Account(account_id, caps_base=500, calls_base=500))

    outcomes = await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(300)])

    assert [outcome.in_use for outcome in outcomes] == list(range(1, 301))


async def test_names_of_calls_and_nodes_may_be_anything(bench, account_id):
    """A record in the store is cut at the right place, whatever the node is called."""
    await bench.provision(Account(account_id, caps_base=5))
    uid, node = "ü 7 7 {acct:x}", "rack 12 é 3 4"

    assert admitted(await bench.ask(Admit(account_id, uid, node), Admit(account_id, uid, node))) == 2
    assert (await look(bench, account_id)).calls[0][:2] == (uid, node)
    assert await bench.ask(Settle(account_id, uid, "answered", 1)) == [Settled(already=False)]


# CAPS


async def test_refused_for_caps_spends_nothing_and_says_when(bench, account_id):
    """R6; the wait is computed from the bucket."""
    await bench.provision(Account(account_id, caps_base=1, caps_burst=3))

    outcomes = await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(5)])

    assert admitted(outcomes) == 3
    refused = outcomes[4]
    assert isinstance(refused, Denied)
    assert (refused.limit, refused.ceiling, refused.in_use) == (Limit.CAPS, 1, 3)
    assert 1 <= refused.retry_after_ms <= 1_000
    await bench.age(account_id, refused.retry_after_ms)
    assert admitted(await bench.ask(Admit(account_id, "u9", "n"), Admit(account_id, "u10", "n"))) == 1


async def test_caps_zero_is_always_refused_and_waiting_is_no_cure(bench, account_id):
    """Not even a burst opens an account that may not call."""
    await bench.provision(Account(account_id, caps_base=0, caps_burst=10))

    assert bare(await bench.ask(Admit(account_id, "u", "n"))) == [Denied(Limit.CAPS, 0, 0, 0)]


async def test_a_bucket_never_holds_more_than_its_burst(bench, account_id):
    """A quiet year is worth one burst."""
    await bench.provision(Account(account_id, caps_base=2, caps_burst=3))
    await bench.ask(Admit(account_id, "u0", "n"))
    await bench.age(account_id, 365 * 86_400_000)

    assert admitted(await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(1, 7)])) == 3


async def test_lots_add_to_the_base(bench, account_id):
    """CAPS = base + lots x lot size; calls likewise."""
    await bench.provision(
        Account(account_id, caps_base=1, caps_lots=2, caps_lot_size=3, calls_base=1, call_lots=1, call_lot_size=4)
    )

    outcomes = await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(8)])

    assert [limit_of(outcome) for outcome in outcomes] == [None] * 5 + [Limit.CALLS] * 2 + [Limit.CAPS]


# Concurrent calls


async def test_refused_for_calls_spends_its_token(bench, account_id):
    """It was an attempt: a sender who hammers a full account meets CAPS (R6)."""
    await bench.provision(Account(account_id, caps_base=1, caps_burst=3, calls_base=1))

    outcomes = await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(4)])

    assert bare(outcomes[1:3]) == [Denied(Limit.CALLS, 1, 1, 0)] * 2
    assert limit_of(outcomes[3]) is Limit.CAPS
    assert await count(bench, account_id, "calls_admitted") == 1


async def test_a_refusal_leaves_nothing_behind(bench, account_id):
    """All or nothing: neither lease nor record of a call that was refused."""
    await bench.provision(Account(account_id, caps_base=5, calls_base=1))

    await bench.ask(Admit(account_id, "u1", "n"), Admit(account_id, "u2", "n"))

    usage = await look(bench, account_id)
    assert [call.uid for call in usage.calls] == ["u1"]
    assert await bench.ask(Answer(account_id, "u2")) == [Answered(already=True)]


async def test_a_raise_is_in_force_at_the_next_attempt_and_a_cut_too(bench, account_id):
    """Commercial values are read inside the decision (R9)."""
    await bench.provision(Account(account_id, caps_base=20, calls_base=1))
    await bench.ask(Admit(account_id, "u1", "n"))

    await bench.change(account_id, generation=1, patch={"call_lots": 1, "call_lot_size": 1})
    raised, full = await bench.ask(Admit(account_id, "u2", "n"), Admit(account_id, "u3", "n"))
    await bench.change(account_id, generation=2, patch={"calls_base": 0})
    cut = await bench.ask(Admit(account_id, "u4", "n"))

    assert isinstance(raised, Admitted)
    assert raised.generation == 2
    assert bare([full]) == [Denied(Limit.CALLS, 2, 2, 0)]
    assert bare(cut) == [Denied(Limit.CALLS, 1, 2, 0)]


# Answer


async def test_answer_twice_is_answered_once(bench, account_id):
    """Idempotent by uid; of a call nobody holds there is nothing to record."""
    await bench.provision(Account(account_id, caps_base=5))

    outcomes = await bench.ask(
        Admit(account_id, "u1", "n"), Answer(account_id, "u1"), Answer(account_id, "u1"), Answer(account_id, "u2")
    )

    assert outcomes[1:] == [Answered(already=False), Answered(already=True), Answered(already=True)]


# Renew


async def test_renewed_leases_outlive_the_first_one(bench, account_id):
    """And those not named run out."""
    await bench.provision(Account(account_id, caps_base=5))
    await bench.ask(Admit(account_id, "u1", "n"), Admit(account_id, "u2", "n"))
    await bench.age(account_id, 20_000)

    renewed = (await bench.ask(Renew(account_id, ("u1",), "n")))[0]
    await bench.age(account_id, 20_000)

    assert isinstance(renewed, Renewed)
    assert (renewed.reasserted, renewed.ended) == ((), ())
    assert [call.uid for call in (await look(bench, account_id)).calls] == ["u1"]


async def test_a_running_call_whose_lease_was_lost_takes_it_again(bench, account_id):
    """It runs, so it counts, whatever the ceiling says; swept or not yet swept makes no difference."""
    await bench.provision(Account(account_id, caps_base=5, calls_base=1))
    await bench.ask(Admit(account_id, "u1", "n"))
    await bench.age(account_id, DEFAULT_LEASE_MS + 1)
    await bench.ask(Admit(account_id, "u2", "n"))

    renewed = (await bench.ask(Renew(account_id, ("u1", "u3"), "n")))[0]

    assert isinstance(renewed, Renewed)
    assert renewed.reasserted == ("u1", "u3")
    assert (await look(bench, account_id)).in_use == 3
    assert await count(bench, account_id, "leases_reasserted") == 2
    await bench.age(account_id, DEFAULT_LEASE_MS + 1)
    again = (await bench.ask(Renew(account_id, ("u1",), "n")))[0]
    assert isinstance(again, Renewed)
    assert again.reasserted == ("u1",)
    assert await count(bench, account_id, "leases_expired") == 4


async def test_a_settled_call_is_not_renewed(bench, account_id):
    """Renewing it would bring back the dead."""
    await bench.provision(Account(account_id, caps_base=5))
    await bench.ask(Admit(account_id, "u1", "n"), Admit(account_id, "u2", "n"), Settle(account_id, "u1", "answered", 1))

    renewed = (await bench.ask(Renew(account_id, ("u1", "u2"), "n")))[0]

    assert isinstance(renewed, Renewed)
    assert (renewed.reasserted, renewed.ended) == ((), ("u1",))
    assert (await look(bench, account_id)).in_use == 1


async def test_a_lease_given_back_is_taken_again_by_a_call_that_runs(bench, account_id):
    """A call let through while the store was away renews: its own give-back must not stand in its way."""
    await bench.provision(Account(account_id, caps_base=5))
    await bench.ask(Admit(account_id, "u1", "n"), Settle(account_id, "u1", GIVEN_BACK, 0))

    renewed, settled = await bench.ask(Renew(account_id, ("u1",), "n"), Settle(account_id, "u1", "answered", 5))

    assert isinstance(renewed, Renewed)
    assert (renewed.reasserted, renewed.ended) == (("u1",), ())
    assert settled == Settled(already=False)


async def test_a_node_renews_only_its_own_calls(bench, account_id):
    """Another's call is taken over by `adopt` alone; its former node is told so, and lets go."""
    await bench.provision(Account(account_id, caps_base=5))
    await bench.ask(Admit(account_id, "u1", "north"))

    assert (await bench.ask(Renew(account_id, ("u1",), "south"), through=1))[0].adopted == ("u1",)
    assert [call.uid for call in await bench.adopt(account_id, gone="north", heir="south")] == ["u1"]
    assert await bench.adopt(account_id, gone="north", heir="east") == []

    assert (await look(bench, account_id)).calls[0][1] == "south"
    assert limit_of((await bench.ask(Admit(account_id, "u1", "north")))[0]) is Limit.DUPLICATE
    assert (await bench.ask(Renew(account_id, ("u1",), "north")))[0].adopted == ("u1",)
    assert (await bench.ask(Renew(account_id, ("u1",), "south"), through=1))[0].adopted == ()


async def test_many_calls_are_renewed_at_once(bench, account_id):
    """More than one command can carry; named twice is renewed once."""
    await bench.provision(Account(account_id, caps_base=5))
    uids = tuple(f"u{number:04}" for number in range(1_201))

    renewed = (await bench.ask(Renew(account_id, (*uids, *uids), "n")))[0]

    assert isinstance(renewed, Renewed)
    assert renewed.reasserted == uids
    assert (await look(bench, account_id)).in_use == 1_201


# Settle


async def test_settle_releases_and_counts_once(bench, account_id):
    """BYE and BYE, CANCEL and 200: whatever is duplicated, the second changes nothing and says so."""
    await bench.provision(Account(account_id, caps_base=5))
    await bench.ask(Admit(account_id, "u1", "n"), Admit(account_id, "u2", "n"), Admit(account_id, "u3", "n"))

    outcomes = await bench.ask(
        Settle(account_id, "u1", "answered", 1_500),
        Settle(account_id, "u1", "failed", 99),
        Settle(account_id, "u2", "cancelled", 0),
        Settle(account_id, "u3", "a word of no list", 0),
    )

    assert [outcome.already for outcome in outcomes] == [False, True, False, False]
    usage = await look(bench, account_id)
    counters = {name: value for name, value in usage.counters if value}
    assert usage.in_use == 0
    assert counters == {
        "calls_admitted": 3,
        "calls_settled": 3,
        "settled_answered": 1,
        "settled_cancelled": 1,
        "settled_other": 1,
        "talk_ms": 1_500,
    }


async def test_a_settle_after_the_lease_ran_out_is_counted_apart(bench, account_id):
    """Each lease ends once: settled or expired, never both."""
    await bench.provision(Account(account_id, caps_base=5))
    await bench.ask(Admit(account_id, "u1", "n"))
    await bench.age(account_id, DEFAULT_LEASE_MS + 1)
    await bench.ask(Admit(account_id, "u2", "n"))

    assert await bench.ask(Settle(account_id, "u1", "answered", 1)) == [Settled(already=True)]
    counters = dict((await look(bench, account_id)).counters)
    assert (counters["leases_expired"], counters["settled_late"], counters["calls_settled"]) == (1, 1, 0)


# Peek


async def test_peek_takes_nothing(bench, account_id):
    """Neither tokens nor leases nor the expired ones."""
    account = Account(account_id, caps_base=1, caps_burst=2, calls_base=2)
    await bench.provision(account)
    await bench.ask(Admit(account_id, "u1", "n"))

    looks = [await look(bench, account_id) for _ in range(3)]

    assert [usage.account for usage in looks] == [account] * 3
    assert [usage.in_use for usage in looks] == [1] * 3
    assert all(MICRO <= usage.tokens_micro < 2 * MICRO for usage in looks)


# Provisioning


async def test_an_unchanged_import_leaves_a_live_raise_alone(bench, account_id):
    """An operator's raise in the store survives a restart of the edge."""
    account = Account(account_id, caps_base=5, calls_base=1)
    await bench.provision(account)
    await bench.change(account_id, generation=1, patch={"calls_base": 7})

    await bench.provision(account)

    in_force = (await look(bench, account_id)).account
    assert (in_force.calls, in_force.generation) == (7, 2)


async def test_a_changed_import_is_written_and_counts_a_generation(bench, account_id):
    """The file's values rule where the file has changed; leases and bucket stay."""
    await bench.provision(Account(account_id, caps_base=5, calls_base=1))
    await bench.ask(Admit(account_id, "u1", "n"))

    await bench.provision(Account(account_id, caps_base=5, calls_base=2))

    usage = await look(bench, account_id)
    assert (usage.account.calls, usage.account.generation, usage.in_use) == (2, 2, 1)


async def test_the_slower_of_two_editors_is_told(bench, account_id):
    """Compare-and-set: nothing is written over what was not read."""
    await bench.provision(Account(account_id))
    await bench.change(account_id, generation=1, patch={"caps_base": 2})

    with pytest.raises(StaleGeneration) as stale:
        await bench.change(account_id, generation=1, patch={"caps_base": 3})
    with pytest.raises(UnknownAccount):
        await bench.change(f"{account_id}-none", generation=1, patch={})

    assert (stale.value.expected, stale.value.found) == (1, 2)
    assert (await look(bench, account_id)).account.caps == 2


@pytest.mark.parametrize("patch", [{"caps_base": -1}, {"calls_base": 10**7}, {"no_such": 1}, {"status": "merry"}])
async def test_a_value_that_cannot_be_is_refused_at_the_door(bench, account_id, patch):
    """And nothing of it reaches the store."""
    await bench.provision(Account(account_id))

    with pytest.raises(ValueError, match=r"expected|known|merry"):
        await bench.change(account_id, generation=1, patch=patch)

    assert (await look(bench, account_id)).account.generation == 1


# Invariants (limits.md section 3)


async def test_invariant_1_no_over_admission(bench, account_id):
    """Calls holding a lease never exceed the ceiling, whichever node asks."""
    await bench.provision(Account(account_id, caps_base=1_000, calls_base=7))

    held = 0
    for round_ in range(6):
        outcomes = await bench.ask(*[Admit(account_id, f"{round_}-{n}", "n") for n in range(5)], through=round_ % 2)
        held += admitted(outcomes)
        assert (await look(bench, account_id)).in_use <= 7

    assert held == 7


async def test_invariant_2_no_over_rate(bench, account_id):
    """Attempts admitted in w seconds never exceed burst + CAPS x w."""
    await bench.provision(Account(account_id, caps_base=2, caps_burst=4, calls_base=1_000))

    passed = 0
    for step in range(20):
        passed += admitted(await bench.ask(*[Admit(account_id, f"{step}-{n}", "n") for n in range(3)]))
        await bench.age(account_id, 250)

    # 5 s of travel, and at most one more for a machine that is slow.
    assert 4 + 2 * 4.75 - 1 <= passed <= 4 + 2 * 6


async def test_invariant_4_no_leak(bench, account_id):
    """The leases of a dead node are free one lease time later, without that node coming back."""
    await bench.provision(Account(account_id, caps_base=1_000, calls_base=200))
    assert admitted(await bench.ask(*[Admit(account_id, f"u{number}", "dead") for number in range(200)])) == 200

    await bench.age(account_id, DEFAULT_LEASE_MS - 5_000)
    assert admitted(await bench.ask(Admit(account_id, "early", "alive"), through=1)) == 0
    await bench.age(account_id, 5_001)

    assert admitted(await bench.ask(*[Admit(account_id, f"v{n}", "alive") for n in range(201)], through=1)) == 200
    assert await count(bench, account_id, "leases_expired") == 200


async def test_invariant_5_no_negative(bench, account_id):
    """No counter goes under zero, whatever is duplicated or comes out of order."""
    await bench.provision(Account(account_id, caps_base=50))
    verbs = [Settle(account_id, "u1", "answered", 1), Admit(account_id, "u2", "n"), *[Answer(account_id, "u2")] * 3]
    verbs += [*[Settle(account_id, "u2", "cancelled", 0)] * 3, *[Renew(account_id, ("u1", "u2", "u3"), "n")] * 2]
    verbs += [*[Settle(account_id, uid, "failed", 0) for uid in ("u1", "u2", "u3")] * 3]

    await bench.ask(*verbs)

    usage = await look(bench, account_id)
    assert usage.in_use == 0
    assert all(value >= 0 for _, value in usage.counters)


async def test_invariant_6_each_lease_ends_exactly_once(bench, account_id):
    """Conservation, for now of leases: admitted + taken again = settled + expired + held."""
    await bench.provision(Account(account_id, caps_base=500, calls_base=500))
    await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(150)])
    await bench.ask(*[Settle(account_id, f"u{number}", "answered", 10) for number in range(40)])
    await bench.age(account_id, DEFAULT_LEASE_MS + 1)
    await bench.ask(Renew(account_id, tuple(f"u{number}" for number in range(30, 60)), "n"))
    await bench.ask(*[Admit(account_id, f"v{number}", "n") for number in range(3)])

    usage = await look(bench, account_id)
    counters = dict(usage.counters)
    given = counters["calls_admitted"] + counters["leases_reasserted"]
    assert given == counters["calls_settled"] + counters["leases_expired"] + usage.in_use


async def test_invariant_7_no_false_refusal(bench, account_id):
    """With free capacity an attempt passes, even where more leases ran out than one sweep frees."""
    await bench.provision(Account(account_id, caps_base=1_000, calls_base=300))
    await bench.ask(*[Admit(account_id, f"u{number}", "n") for number in range(300)])
    await bench.age(account_id, DEFAULT_LEASE_MS + 1)

    first = await bench.ask(Admit(account_id, "u299", "other"))

    assert [outcome.in_use for outcome in first] == [1]
    # 64 swept, and its own: each of them ended once.
    assert await count(bench, account_id, "leases_expired") == 65


async def test_every_answer_tells_the_values_in_force(bench, account_id):
    """Generation, CAPS, calls and lots, in a yes and in each no: for the record of the attempt."""
    await bench.provision(Account(account_id, caps_base=1, caps_lots=2, call_lots=3, calls_base=0, call_lot_size=1))
    yes = await bench.ask(*(Admit(account_id, f"u{number}", "n") for number in range(3)))
    assert [(one.caps_lots, one.call_lots) for one in yes] == [(2, 3)] * 3

    (calls,) = await bench.ask(Admit(account_id, "u4", "n"))
    (duplicate,) = await bench.ask(Admit(account_id, "u1", "other"))
    assert {calls.limit, duplicate.limit} == {Limit.CALLS, Limit.DUPLICATE}
    expected = InForce(yes[0].generation, 21, 3, 2, 3)
    assert [expected] * 2 == [calls.in_force, duplicate.in_force]


@pytest.mark.parametrize("values", [{"caps_base": 0}, {"status": AccountStatus.SUSPENDED}])
async def test_a_refusal_before_any_token_tells_them_too(bench, account_id, values):
    """No CAPS at all, or no right to call."""
    await bench.provision(Account(account_id, call_lots=1, **values))
    (no,) = await bench.ask(Admit(account_id, "u", "n"))
    assert (no.in_force.calls, no.in_force.call_lots, no.in_force.generation > 0) == (40, 1, True)
