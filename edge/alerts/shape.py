"""Is the traffic of an account what it was? A day far above those before it, destinations nobody called before. Pure.

Contract articles 24.2.2 and 9.1.7: prices assume the usual traffic, and a significant rise is announced. It is told,
and nothing is refused for it: what refuses are ceilings and guards.
"""

from collections.abc import Mapping, Sequence

from edge.alerts.kinds import Kind, Level
from edge.alerts.standing import Condition
from edge.config.alerts import AlertSettings

MAX_NAMED = 5
"""Destinations told by name."""

Day = Mapping[str, int]
"""Destination -> attempts."""


def of_shape(account: str, today: Day, before: Sequence[Day], settings: AlertSettings) -> list[Condition]:
    """`before`: the days before today, the latest first, as many as `days_looked_at`."""
    found = [_rise(account, sum(today.values()), before, settings), _places(account, today, before, settings)]
    return [one for one in found if one is not None]


def days_looked_at(settings: AlertSettings) -> int:
    """How many days before today are needed; 0: neither is told of."""
    rise = settings.rise_days if settings.rise_factor else 0
    return max(rise, settings.new_place_days if settings.new_place_least else 0)


def _rise(account: str, attempts: int, before: Sequence[Day], settings: AlertSettings) -> Condition | None:
    usual = max((sum(day.values()) for day in before[: settings.rise_days]), default=0)
    factor = settings.rise_factor
    if not factor or attempts < settings.rise_least or attempts < factor * usual:
        return None
    level = Level.CRITICAL if usual and attempts >= 2 * factor * usual else Level.WARNING
    most = f"{usual} on the busiest" if usual else "none at all"
    text = (
        f"account {account} has placed {attempts} attempts today (UTC); of the {settings.rise_days} days before: {most}"
    )
    return Condition(Kind.RISE, account, level, text, (("attempts", attempts), ("usual", usual)))


def _places(account: str, today: Day, before: Sequence[Day], settings: AlertSettings) -> Condition | None:
    least = settings.new_place_least
    known = {place for day in before[: settings.new_place_days] for place in day}
    if not least or not known:
        return None  # an account without a past has no new destination
    fresh = sorted(place for place, attempts in today.items() if attempts >= least and place not in known)
    if not fresh:
        return None
    names = ", ".join(fresh[:MAX_NAMED]) + (f" and {len(fresh) - MAX_NAMED} more" if len(fresh) > MAX_NAMED else "")
    text = f"account {account} calls where it did not in {settings.new_place_days} days: {names}"
    attempts = sum(today[place] for place in fresh)
    fields = (("destinations", len(fresh)), ("attempts", attempts))
    return Condition(Kind.PLACE, account, Level.WARNING, text, fields)
