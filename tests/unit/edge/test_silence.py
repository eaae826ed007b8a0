"""Who is gone, and who only could not be heard."""

import pytest

from edge.silence import BEAT_S, Silence

TAKEOVER_S = 6.0


def beating(silence: Silence, since: float, until: float) -> float:
    """A beat each second; returns the instant of the last."""
    at = since
    while at < until:
        at += BEAT_S
        silence.beaten(at)
    return at


@pytest.mark.parametrize(("age_ms", "is_live"), [(0, True), (5_999, True), (6_000, False)])
def test_a_node_is_gone_after_the_time(age_ms, is_live):
    silence = Silence(TAKEOVER_S, 0.0)
    beating(silence, 0.0, 10.0)
    assert silence.live({"a": age_ms, "b": 0}) == ({"a", "b"} if is_live else {"b"})


def test_who_has_just_come_judges_nobody():
    """What it finds in the store may be from before."""
    silence = Silence(TAKEOVER_S, 100.0)
    beating(silence, 100.0, 105.0)
    assert silence.live({"a": 60_000}) == {"a"}
    silence.beaten(106.0)
    assert silence.live({"a": 60_000}) == set()


@pytest.mark.parametrize("pause_s", [2.6, 4.0, 5.0, 30.0])
def test_who_could_not_be_heard_itself_gives_the_others_the_whole_time_again(pause_s):
    """A fail-over of four seconds, under the time itself: the others come back a little later than this one."""
    silence = Silence(TAKEOVER_S, 0.0)
    back = beating(silence, 0.0, 20.0) + pause_s
    silence.beaten(back)
    assert silence.live({"a": 6_500}) == {"a"}
    beating(silence, back, back + TAKEOVER_S - BEAT_S)
    assert silence.live({"a": 12_000}) == {"a"}
    beating(silence, back + TAKEOVER_S - BEAT_S, back + TAKEOVER_S)
    assert silence.live({"a": 12_500, "b": 800}) == {"b"}


def test_a_beat_that_is_a_little_late_changes_nothing():
    silence = Silence(TAKEOVER_S, 0.0)
    last = beating(silence, 0.0, 20.0)
    silence.beaten(last + 2.4)
    assert silence.live({"a": 6_000}) == set()


def test_a_short_time_is_judged_by_half_beats():
    """Of 3 s a pause of 1.5 already counts."""
    silence = Silence(3.0, 0.0)
    last = beating(silence, 0.0, 10.0)
    silence.beaten(last + 1.6)
    assert silence.live({"a": 3_100}) == {"a"}
