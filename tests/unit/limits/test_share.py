"""limits.share: calls placed against those received, over days."""

import pytest

from limits.share import DAY_MS, KEPT_DAYS, PLACED, RECEIVED, Share, count, share_of

NOW = 20_000 * DAY_MS + DAY_MS // 2
WINDOW = 30 * DAY_MS


def kept(**days: dict[int, int]) -> dict[str, str]:
    """`p`, `r`: days ago -> calls; counted since 100 days."""
    fields = {f"{kind}:{20_000 - ago}": str(calls) for kind, by in days.items() for ago, calls in by.items()}
    return fields | {"since": str(20_000 - 100)}


@pytest.mark.parametrize(
    ("placed", "received", "is_allowed"),
    [
        (0, 5, True),
        (0, 4, False),
        (19, 100, True),
        (20, 100, False),
        (19, 99, False),
        (0, 0, False),
        (199, 1_000, True),
    ],
)
def test_one_more_may_be_a_fifth_of_what_was_received_1_2_3(placed: int, received: int, is_allowed: bool) -> None:
    """Numbering plan 2.3.2 f: at most 20 %, the call that is asked for included."""
    assert Share(placed, received, True).allows(20) == is_allowed
    assert not Share(placed, received, False).allows(20)


def test_days_at_the_edge_of_the_window_speak_against_the_account() -> None:
    """30 days ago, in part inside: what was placed counts, what was received does not. A day more is outside."""
    fields = kept(p={0: 1, 29: 2, 30: 4, 31: 8}, r={0: 10, 29: 20, 30: 40, 31: 80})
    assert share_of(fields, window_ms=WINDOW, now_ms=NOW) == Share(7, 30, True)


@pytest.mark.parametrize(("since", "is_whole"), [("19969", True), ("19970", False), ("20000", False), (None, False)])
def test_what_was_not_counted_for_so_long_is_not_known(since: str | None, is_whole: bool) -> None:
    """The first day counted was counted in part: the window must begin after it."""
    fields = {} if since is None else {"since": since, "r:20000": "100"}
    assert share_of(fields, window_ms=WINDOW, now_ms=NOW).is_whole == is_whole


def test_days_are_kept_as_long_as_any_window() -> None:
    """A new day drops those that no window reaches any more; when counting began stays."""
    fields: dict[str, str] = {}
    for day in (0, 0, 1, 2, KEPT_DAYS + 2, KEPT_DAYS + 2):
        count(fields, RECEIVED if day else PLACED, day * DAY_MS)
    assert fields == {"since": "0", "r:2": "1", f"r:{KEPT_DAYS + 2}": "2"}
