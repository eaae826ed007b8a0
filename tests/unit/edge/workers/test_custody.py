"""Which calls are with another worker than their owner: told once, kept as long as anything comes of them."""

from hypothesis import given
from hypothesis import strategies as st

from edge.workers import custody
from edge.workers.custody import LAST_WORDS_S, Custody

ALL_UP = b"\1\1\1"


def test_the_owner_is_told_of_a_call_once():
    """However much comes of it."""
    here = Custody()
    assert here.took(b"a", 1, 0.0)
    assert not here.took(b"a", 1, 5.0)
    assert here.took(b"b", 2, 5.0)
    assert (here.of(1), here.of(2), here.of(0), len(here)) == ([b"a"], [b"b"], [], 2)


def test_a_call_is_given_back_when_it_is_over_and_nothing_more_comes():
    """Its last copies still find who answered them (RFC 3261 §17.2.1, Timer H)."""
    here = Custody()
    here.took(b"a", 1, 0.0)
    here.took(b"b", 1, 0.0)
    assert here.over([b"a", b"b"], LAST_WORDS_S + 1) == {}
    assert here.over([b"a"], LAST_WORDS_S - 1) == {}
    here.took(b"b", 1, 10.0)
    assert here.over([b"a"], LAST_WORDS_S + 9) == {}
    assert here.over([b"a"], LAST_WORDS_S + 10) == {1: [b"b"]}
    assert here.over([], LAST_WORDS_S + 10) == {1: [b"a"]}
    assert len(here) == 0
    assert here.took(b"a", 1, 100.0), "told again"


def test_what_comes_of_a_call_goes_to_its_keeper():
    """As long as that one is up."""
    ours = Custody()
    ours.gave([b"a", b"b"], 2)
    assert (ours.keeper(b"a", ALL_UP), ours.keeper(b"c", ALL_UP)) == (2, None)
    assert ours.keeper(b"a", b"\1\1\0") is None
    ours.got_back([b"a"], 1)
    assert ours.keeper(b"a", ALL_UP) == 2, "the word of another worker says nothing of it"
    ours.got_back([b"a"], 2)
    assert (ours.keeper(b"a", ALL_UP), ours.keeper(b"b", ALL_UP)) == (None, 2)
    ours.lost(1)
    assert ours.keeper(b"b", ALL_UP) == 2
    ours.lost(2)
    assert ours.keeper(b"b", ALL_UP) is None


def test_neither_side_grows_without_bound(monkeypatch):
    """A flood while a worker rests fills no memory; what is known already stays known."""
    monkeypatch.setattr(custody, "MOST", 2)
    one = Custody()
    assert [one.took(b"%d" % number, 0, 0.0) for number in range(4)] == [True, True, False, False]
    one.gave([b"a", b"b", b"c"], 1)
    one.gave([b"a"], 2)
    assert [one.keeper(call, ALL_UP) for call in (b"a", b"b", b"c")] == [2, 1, None]


@given(st.lists(st.tuples(st.sampled_from(["took", "over", "start"]), st.sampled_from(b"abc"), st.booleans())))
def test_the_owner_knows_exactly_what_its_keeper_has(steps):
    """Where every word between them arrives, in any order of what happens."""
    keeper, owner = Custody(), Custody()
    now, told = 0.0, set()
    for what, call, is_live in steps:
        now += 20.0
        if what == "took":
            if keeper.took(b"%c" % call, 0, now):
                owner.gave([b"%c" % call], 1)
        elif what == "over":
            for worker, calls in keeper.over([b"%c" % call] if is_live else [], now).items():
                assert worker == 0
                owner.got_back(calls, 1)
        else:
            owner = Custody()
            owner.gave(keeper.of(0), 1)
        told = {one for one in (b"a", b"b", b"c") if owner.keeper(one, ALL_UP) == 1}
        assert told == set(keeper.of(0))
