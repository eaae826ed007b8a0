"""limits.near_cache: refusals that are still certain."""

import pytest

from limits.model import Denied, Limit
from limits.near_cache import CAPACITY, NearCache

CAPS = Denied(Limit.CAPS, 10, 10, 60)


@pytest.mark.parametrize(
    ("retry_after_ms", "later_s", "left_ms"),
    [(60, 0.0, 60), (60, 0.05, 10), (60, 0.0586, 1), (60, 0.059, None), (900, 0.09895, 801), (900, 0.099, None)],
)
def test_a_refusal_for_caps_is_kept_until_the_refill_or_a_tenth_of_a_second(retry_after_ms, later_s, left_ms):
    """Whichever is earlier; the wait it tells shrinks with the time."""
    cache = NearCache()
    cache.note("a", CAPS._replace(retry_after_ms=retry_after_ms), 5.0)

    found = cache.find("a", 5.0 + later_s)

    assert found == (None if left_ms is None else CAPS._replace(retry_after_ms=left_ms))
    assert cache.hits == (left_ms is not None)


@pytest.mark.parametrize(
    "denied",
    [Denied(Limit.CALLS, 1, 1, 0), Denied(Limit.FREQUENCY, 1, 1, 500), Denied(Limit.CAPS, 0, 0, 0)],
)
def test_what_may_end_at_any_moment_is_not_kept(denied):
    """A call may end in the next millisecond; and a refusal for calls spends a token."""
    cache = NearCache()
    cache.note("a", denied, 0.0)

    assert cache.find("a", 0.0) is None


@pytest.mark.parametrize("notice", ["a", ""])
def test_a_change_notice_empties_it(notice):
    """By name, or all of it."""
    cache = NearCache()
    cache.note("a", CAPS, 0.0)
    cache.note("b", CAPS, 0.0)

    cache.forget(notice)

    assert cache.find("a", 0.0) is None
    assert (cache.find("b", 0.0) is None) == (notice == "")


def test_it_is_bounded():
    """Full, it starts again empty."""
    cache = NearCache()
    names = [f"a{number}" for number in range(CAPACITY + 1)]
    for name in names[:-1]:
        cache.note(name, CAPS, 0.0)
    assert all(cache.find(name, 0.0) is not None for name in names[:-1]), "there was room for them"

    cache.note(names[-1], CAPS, 0.0)
    assert [name for name in names if cache.find(name, 0.0) is not None] == names[-1:]
