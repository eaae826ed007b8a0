"""A node's share of the ceilings while the store is away."""

from hypothesis import given
from hypothesis import strategies as st

from limits.local import Ceilings, LocalShare


def known(*, caps: int = 10, burst: int = 10, calls: int = 30) -> LocalShare:
    """A share of `acme`, as the store last told it."""
    share = LocalShare()
    share.note("acme", Ceilings(caps, burst, calls))
    return share


def test_a_holder_the_store_never_told_of_has_no_share():
    """Nothing is known of it, so nothing is admitted."""
    assert not LocalShare().admit("acme", in_use=0, nodes=1, now_ms=0)


def test_the_share_is_the_ceiling_by_the_nodes():
    """30 calls on 3 nodes: ten each."""
    share = known()
    assert [share.admit("acme", in_use=used, nodes=3, now_ms=0) for used in (9, 10)] == [True, False]


def test_a_small_ceiling_is_still_one():
    """Two calls on five nodes: one each, three more than allowed in all; none would be a false refusal."""
    assert known(calls=2).admit("acme", in_use=0, nodes=5, now_ms=0)


def test_a_ceiling_of_nothing_stays_nothing():
    """An account that may have no call, or no attempt, has none without the store either."""
    assert not known(calls=0).admit("acme", in_use=0, nodes=1, now_ms=0)
    assert not known(caps=0, burst=0).admit("acme", in_use=0, nodes=1, now_ms=0)


def test_other_ceilings_take_the_place_of_those_before():
    """Raised, lowered, and told of another holder."""
    share = known(calls=30)
    for calls in (40, 20):
        share.note("acme", (10, 10, calls))
        assert share.known("acme") == Ceilings(10, 10, calls)
        assert [share.admit("acme", in_use=used, nodes=1, now_ms=0) for used in (calls - 1, calls)] == [True, False]
    assert share.known("other") is None


def test_the_store_is_heard_again():
    """The next outage begins with a full share."""
    share = known(caps=1, burst=1)
    assert [share.admit("acme", in_use=0, nodes=1, now_ms=0) for _ in range(2)] == [True, False]
    share.note("acme", Ceilings(1, 1, 30))
    assert share.admit("acme", in_use=0, nodes=1, now_ms=1)


@given(
    caps=st.integers(1, 50),
    nodes=st.integers(1, 5),
    gaps=st.lists(st.integers(0, 400), min_size=1, max_size=60),
)
def test_no_over_rate(caps, nodes, gaps):
    """In any window: at most the share of burst and CAPS for its length."""
    share = known(caps=caps, burst=caps)
    part = max(1, caps // nodes)
    passed, now = [], 0
    for gap in gaps:
        now += gap
        if share.admit("acme", in_use=0, nodes=nodes, now_ms=now):
            passed.append(now)
    for first, start in enumerate(passed):
        for count, end in enumerate(passed[first:], 1):
            assert count * 1_000 <= part * 1_000 + part * (end - start)
