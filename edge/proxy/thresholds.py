"""When a holder comes near its ceilings: told at 80 % and 95 %, at most once a minute each. Pure."""

from typing import Final

from edge.proxy.facts import Fact
from limits.model import Admitted

LEVELS: Final = (95, 80)
"""Per cent of a ceiling, the highest first."""

QUIET_S: Final = 60.0
CAPACITY: Final = 10_000
"""(holder, limit, level) remembered; when full, all are forgotten and may be told once more."""

_MICRO: Final = 1_000_000


class Thresholds:
    """Remembers what has been told."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, int], float] = {}

    def note(self, holder: str, admitted: Admitted, now: float, facts: list[Fact]) -> None:
        """An attempt was admitted: how near is its holder? Two comparisons, since few come near."""
        if admitted.in_use * 100 >= admitted.ceiling * 80 and admitted.ceiling > 1:
            self._tell(holder, "calls", admitted.in_use, admitted.ceiling, now, facts)
        if admitted.tokens_micro <= admitted.burst * (_MICRO // 5) and admitted.burst > 1:
            used = admitted.burst - admitted.tokens_micro // _MICRO
            self._tell(holder, "caps", used, admitted.burst, now, facts)

    def _tell(self, holder: str, limit: str, in_use: int, ceiling: int, now: float, facts: list[Fact]) -> None:
        level = next((level for level in LEVELS if in_use * 100 >= ceiling * level), 0)
        key = (holder, limit, level)
        if not level or now - self._told.get(key, -QUIET_S) < QUIET_S:
            return
        if len(self._told) >= CAPACITY:
            self._told.clear()
        self._told[key] = now
        fields: dict[str, str | int | float] = {
            "account": holder, "limit": limit, "percent": level, "in_use": in_use, "ceiling": ceiling
        }  # fmt: skip
        facts.append(Fact("limit.near", fields))
