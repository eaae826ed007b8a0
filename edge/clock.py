"""Time as the rim reads it: monotonic for the core, wall for the records.

Wall time is the wall clock at the start of the process plus the monotonic difference, so that no duration in a CDR is
ever negative, whatever the system clock does.
"""

import time


class SystemClock:
    """The machine's clocks."""

    __slots__ = ("_offset", "now")

    def __init__(self) -> None:
        self.now = time.monotonic
        self._offset = time.time() - time.monotonic()

    def wall(self, now: float) -> float:
        """Seconds since 1970-01-01 UTC at the monotonic instant `now`."""
        return now + self._offset
