"""Wall time follows the monotonic clock from one common instant."""

import time

from edge.clock import SystemClock


def test_wall_is_the_systems_clock_now() -> None:
    """To within the time two reads take."""
    clock = SystemClock()

    assert abs(clock.wall(clock.now()) - time.time()) < 1.0


def test_wall_moves_exactly_with_monotonic_time() -> None:
    """A duration is the same in both."""
    clock = SystemClock()

    assert clock.wall(1010.5) - clock.wall(1000.0) == 10.5
