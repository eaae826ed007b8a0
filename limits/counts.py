"""Frequencies in memory: for each name and key the newest instants, enough to judge any window. Pure.

The specification of scripts/part_frequency.lua.
"""

from collections.abc import Mapping

from limits.frequency import Counts, Frequency


class FrequencyBook:
    """What one holder's attempts have counted."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], dict[str, int]] = {}

    def take_over(self, one: Frequency, kept: Mapping[str, int]) -> None:
        """What has been counted elsewhere: item or uid -> instant."""
        self._kept[one.name, one.key] = dict(kept)

    def judge(self, one: Frequency, uid: str, now: int) -> tuple[bool, int, int]:
        """Would one more be too many? What counts in the window now, and when a place is free again (ms; 0: never).
        What is counted there already, an item or the same attempt asked again, is not one more."""
        kept = self._kept.get((one.name, one.key), {})
        since = now - one.window_ms
        times = sorted((at for at in kept.values() if at > since), reverse=True)
        used = len(times)
        if used < one.most:
            return False, used, 0
        if one.counts != Counts.MARKS and used == one.most and kept.get(_member(one, uid), since) > since:
            return False, used, 0
        if one.most == 0:
            return True, used, 0
        return True, used, max(1, times[one.most - 1] - since)

    def count(self, one: Frequency, uid: str, now: int) -> int:
        """One more; how many lie in the window now, as far as they are kept."""
        kept = self._kept.setdefault((one.name, one.key), {})
        kept[_member(one, uid)] = now
        newest = sorted(kept.items(), key=lambda item: (item[1], item[0]), reverse=True)
        self._kept[one.name, one.key] = dict(newest[: one.most + 1])
        return sum(at > now - one.window_ms for _, at in newest[: one.most + 1])

    def take_back(self, one: Frequency, uid: str) -> None:
        """This attempt was none. An item stays: another attempt may stand behind it."""
        self._kept.get((one.name, one.key), {}).pop(uid, None)


def _member(one: Frequency, uid: str) -> str:
    return one.item if one.counts == Counts.DISTINCT else uid
