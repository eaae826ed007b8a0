"""Monotonic instants as the text of a record; what a second looks like is rendered once. Pure; standard library."""

from datetime import UTC, datetime
from typing import Final

MAX_SECONDS: Final = 4_096
"""Seconds whose text is kept: as many as calls are long, and those that end now."""
_ROUNDED: Final = 2.0**52
"""Added and taken away again, it leaves of a number from 0 to itself the next whole one, of two the even one."""


class Instants:
    """Of one process run."""

    __slots__ = ("_seconds", "_wall_at_zero")

    def __init__(self, wall_at_zero: float) -> None:
        """`wall_at_zero`: UTC seconds at the monotonic 0."""
        self._wall_at_zero = wall_at_zero
        self._seconds: dict[int, str] = {}

    def moment(self, at: float) -> datetime:
        """UTC of a monotonic instant.

        A whole second is moved by one microsecond: orjson would leave its fraction out, and readers that guess one
        format for a column from its first lines would stumble over the one line in a million.
        """
        moment = datetime.fromtimestamp(self._wall_at_zero + at, UTC)
        return moment if moment.microsecond else moment.replace(microsecond=1)

    def text(self, at: float | None) -> str:
        """The same as JSON: `"2026-07-01T12:00:00.000001Z"` with its quotes, or `null`. Raises ValueError or
        OverflowError for an instant of no calendar."""
        if at is None:
            return "null"
        wall = self._wall_at_zero + at
        second = int(wall)
        micros = int((wall - second) * 1e6 + _ROUNDED - _ROUNDED)  # as `datetime.fromtimestamp` rounds
        if not 0 < micros < 1_000_000:
            return f'"{self.moment(at).isoformat(timespec="microseconds")[:26]}Z"'
        return f'{self._seconds.get(second) or self._head(second)}{str(1_000_000 + micros)[1:]}Z"'

    def _head(self, second: int) -> str:
        if len(self._seconds) >= MAX_SECONDS:
            self._seconds.clear()
        head = self._seconds[second] = f'"{datetime.fromtimestamp(second, UTC).isoformat()[:19]}.'
        return head
