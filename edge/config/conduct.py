"""How calls may be made: the sections on telemarketing, ping calls and destinations, turned into look-ups. Pure.

Built once with a snapshot. Rules in force at an instant are found by bisection; time zones are read from the system
here and never at a call.
"""

import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import cache
from importlib import resources
from typing import Final, NamedTuple, TypeVar

from edge.config.calendar import HolidayCalendar
from edge.config.destinations import BarringEntry, DestinationChoice, DestinationEntry, GuardEntry
from edge.config.hours import Week, parse_zone
from edge.config.ranges import expand
from edge.config.telemarketing import (
    AttemptsEntry,
    Calling,
    ConsentsEntry,
    DatedEntry,
    HolidaysEntry,
    HoursEntry,
    MaskedEntry,
    NumberCeiling,
    PingCalls,
    RefusalsEntry,
    Telemarketing,
    TelemarketingRuleset,
    built_in,
)

Dated = TypeVar("Dated", bound=DatedEntry)


class AccountCalling(NamedTuple):
    """What an account's own entry says of its calls."""

    consent: str = "list"
    professional: str = ""
    """Whose calls its calls to consumers are, together with those of other accounts; empty: its own."""
    hours_waiver: str = "none"
    week: Week | None = None
    """When it calls at all; None: always."""
    timezone: tzinfo = UTC
    number_ceiling: NumberCeiling | None = None
    is_small_system: bool = False
    allowed: tuple[str, ...] | None = None
    """Beginnings of the numbers it may call, where they begin with a plus; None: any."""


ANY_CALLING: Final = AccountCalling()
"""An account that says nothing of it."""


class Era(NamedTuple):
    """The rules in force between two changes of the law; None: there is none."""

    hours: HoursEntry | None
    week: Week | None
    attempts: AttemptsEntry | None
    refusals: RefusalsEntry | None
    consents: ConsentsEntry | None
    masked: MaskedEntry | None


class Law:
    """A telemarketing ruleset with the document's choices in it."""

    __slots__ = ("_calendars", "_changes", "_eras", "_zones", "is_shadow", "name")

    def __init__(self, ruleset: TelemarketingRuleset, section: Telemarketing) -> None:
        self.name = ruleset.ruleset
        self.is_shadow = section.mode == "shadow"
        lists = (
            section.hours or ruleset.hours,
            section.attempts or ruleset.attempts,
            section.refusals or ruleset.refusals,
            section.consents or ruleset.consents,
            ruleset.masked,
        )
        days = {day for entries in lists for entry in entries for day in (entry.since, entry.until) if day is not None}
        home = parse_zone(ruleset.timezone)
        self._changes = [_midnight(day, home) for day in sorted(days)]
        """UTC seconds at which something changes."""
        self._eras = [_era(lists, day) for day in [date.min, *sorted(days)]]
        self._zones = _longest(
            (f"+{prefix}", parse_zone(zone.timezone)) for zone in ruleset.zones for prefix in zone.prefixes
        )
        kept = [entry for entry in ruleset.holidays if not entry.prefixes or section.local_holidays]
        self._calendars = [(tuple(f"+{prefix}" for prefix in entry.prefixes), _calendar(entry)) for entry in kept]

    def era(self, wall: float) -> Era:
        """The rules in force at this instant (UTC seconds)."""
        return self._eras[bisect_right(self._changes, wall)]

    def zone_of(self, called: str) -> tzinfo | None:
        """The time zone of this number; None: nobody whom this law protects."""
        return next((zone for prefix, zone in self._zones if called.startswith(prefix)), None)

    def holiday(self, called: str, day: date) -> str:
        """Which calendar makes this day a holiday where the number is; empty: none does."""
        for prefixes, calendar in self._calendars:
            if (not prefixes or called.startswith(prefixes)) and calendar.is_holiday(day):
                return calendar.id
        return ""


class Choice:
    """Which calls a barring list or a guard is about."""

    __slots__ = ("accounts", "except_prefixes", "id", "is_shadow", "prefixes", "zones")

    def __init__(self, name: str, entry: DestinationChoice) -> None:
        self.id = name
        self.accounts = frozenset(name for account in entry.accounts for name in expand(account))
        self.zones = frozenset(entry.zones)
        self.prefixes = (*entry.prefixes, *[prefix for name in entry.lists for prefix in dear_numbers()[name]])
        self.except_prefixes = entry.except_prefixes
        self.is_shadow = entry.mode == "shadow"

    def matches(self, account: str, called: str, zone: str) -> bool:
        """Is it about this call?"""
        if self.accounts and account not in self.accounts:
            return False
        if self.zones and zone not in self.zones:
            return False
        if self.prefixes and not called.startswith(self.prefixes):
            return False
        return not (self.except_prefixes and called.startswith(self.except_prefixes))


class Barring(Choice):
    """Numbers that are not to be called, at some times."""

    __slots__ = ("timezone", "week")

    def __init__(self, entry: BarringEntry) -> None:
        super().__init__(entry.id, entry)
        self.week = Week(entry.days, entry.hours) if entry.days or entry.hours else None
        """None: always."""
        self.timezone = parse_zone(entry.timezone)


class Guard(Choice):
    """How much an account may call to one kind of destination."""

    __slots__ = ("calls", "spend_micros", "window_ms")

    def __init__(self, entry: GuardEntry) -> None:
        super().__init__(entry.id, entry)
        self.calls = entry.calls
        self.window_ms = entry.window_s * 1_000
        self.spend_micros = entry.spend


class Conduct:
    """All of it, for one snapshot."""

    __slots__ = ("_zones", "barring", "guards", "has_destinations", "law", "ping")

    def __init__(
        self,
        telemarketing: Telemarketing,
        ping: PingCalls,
        destinations: Sequence[DestinationEntry],
        barring: Sequence[BarringEntry],
        guards: Sequence[GuardEntry],
    ) -> None:
        self.law = None if telemarketing.rules == "off" else Law(built_in(telemarketing.rules), telemarketing)
        self.ping = ping
        self.barring = tuple(Barring(entry) for entry in barring)
        self.guards = tuple(Guard(entry) for entry in guards)
        self.has_destinations = bool(self.barring or self.guards)
        self._zones = _longest((prefix, entry.zone) for entry in destinations for prefix in entry.prefixes)

    def zone_of(self, called: str) -> str:
        """The zone the document gives this number; empty: none."""
        return next((zone for prefix, zone in self._zones if called.startswith(prefix)), "")


def calling_of(entry: Calling) -> AccountCalling:
    """What an account's entry makes."""
    if entry == _NOTHING_SAID:
        return ANY_CALLING
    allowed = None
    if entry.international != "all":
        groups = countries()
        national = groups["national"]
        allowed = (*national, *(groups["eu"] if entry.international == "eu" else ()), *entry.countries)
    return AccountCalling(
        consent=entry.consent,
        professional=entry.professional or "",
        hours_waiver=entry.hours_waiver,
        week=Week(entry.days, entry.hours) if entry.days or entry.hours else None,
        timezone=parse_zone(entry.timezone),
        number_ceiling=entry.number_ceiling,
        is_small_system=entry.small_system,
        allowed=allowed,
    )


_NOTHING_SAID: Final = Calling.unwritten()


@cache
def countries() -> dict[str, tuple[str, ...]]:
    """Groups of country codes, with their plus."""
    text = (resources.files("edge.config") / "rulesets" / "countries.toml").read_text("utf-8")
    return {name: tuple(f"+{code}" for code in codes) for name, codes in tomllib.loads(text).items()}


@cache
def dear_numbers() -> dict[str, tuple[str, ...]]:
    """Built-in lists of dear destinations, and `dear`: all of them."""
    text = (resources.files("edge.config") / "rulesets" / "dear.toml").read_text("utf-8")
    found = {name: tuple(prefixes) for name, prefixes in tomllib.loads(text).items() if isinstance(prefixes, list)}
    return {**found, "dear": tuple([prefix for prefixes in found.values() for prefix in prefixes])}


_T = TypeVar("_T")


def _longest(pairs: Iterable[tuple[str, _T]]) -> list[tuple[str, _T]]:
    """The longest prefix first."""
    return sorted(pairs, key=lambda pair: len(pair[0]), reverse=True)


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def _in_force(entries: Iterable[Dated], day: date) -> Dated | None:
    """The first that holds on this day."""
    for entry in entries:
        if (entry.since is None or entry.since <= day) and (entry.until is None or day < entry.until):
            return entry
    return None


def _era(
    lists: tuple[
        Sequence[HoursEntry],
        Sequence[AttemptsEntry],
        Sequence[RefusalsEntry],
        Sequence[ConsentsEntry],
        Sequence[MaskedEntry],
    ],
    day: date,
) -> Era:
    hours = _in_force(lists[0], day)
    return Era(
        hours,
        None if hours is None else Week(hours.days, hours.windows),
        _in_force(lists[1], day),
        _in_force(lists[2], day),
        _in_force(lists[3], day),
        _in_force(lists[4], day),
    )


def _calendar(entry: HolidaysEntry) -> HolidayCalendar:
    fixed = frozenset((int(month), int(day)) for month, _, day in (text.partition("-") for text in entry.fixed))
    return HolidayCalendar(entry.id, fixed, frozenset(entry.easter))
