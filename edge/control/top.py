"""`edge top` drawn: an overview as lines that fit a terminal, sorted and chosen as somebody wants it. Pure.

Nothing is told by colour alone: what is red has a word too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from edge.accounts.values import show_instant
from edge.control.overview import Overview, rank_of
from edge.control.snapshot import AccountUse, TrunkUse
from edge.terminal import cut

LEAST_WIDTH, LEAST_HEIGHT = 60, 12
NAME = 18
"""Characters of a name."""
BAR = 10
MAX_FILTER = 40
_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS = "_.:-=+*#"


class Sort(StrEnum):
    """What accounts stand in the order of."""

    RATE = "rate"
    CALLS = "calls"
    USE = "use"
    """The nearest to a ceiling first."""
    REFUSED = "refused"
    NAME = "name"


class Line(NamedTuple):
    """One line of the screen."""

    text: str
    style: str = ""
    """As rich names it; empty: plain."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What whoever looks wants to see."""

    sort: Sort = Sort.RATE
    filter: str = ""
    """Part of the names of accounts and trunks."""
    is_paused: bool = False
    is_typing: bool = False
    """The filter is being typed."""

    def after(self, key: str) -> "Wish | None":
        """What it is after this key; None: enough."""
        if self.is_typing:
            return self._typed(key)
        if key in ("q", "Q", "\x03"):
            return None
        if key == "s":
            order = list(Sort)
            return replace(self, sort=order[(order.index(self.sort) + 1) % len(order)])
        if key in ("p", " "):
            return replace(self, is_paused=not self.is_paused)
        if key in ("/", "f"):
            return replace(self, is_typing=True, filter="")
        if key == "\x1b":
            return replace(self, filter="")
        return self

    def _typed(self, key: str) -> "Wish":
        if key in ("\r", "\n"):
            return replace(self, is_typing=False)
        if key in ("\x1b", "\x03"):
            return replace(self, is_typing=False, filter="")
        if key in ("\x7f", "\b"):
            return replace(self, filter=self.filter[:-1])
        if key.isprintable() and len(self.filter) < MAX_FILTER:
            return replace(self, filter=self.filter + key)
        return self


def screen(
    found: Overview, wish: Wish, *, at_ms: int, width: int, height: int, plain: bool, note: str = ""
) -> list[Line]:
    """At most `height` lines of at most `width` characters. `plain`: ASCII only. `note`: what went wrong just now."""
    width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
    head = _head(found, wish, at_ms, width, plain, note)
    nodes = _nodes(found, most=max(1, min(len(found.nodes), height // 6)))
    accounts = [row for row in found.accounts if wish.filter.lower() in row.account.lower()]
    trunks = [row for row in found.trunks if wish.filter.lower() in row.trunk.lower()]
    alarms = _alarms(found, most=2)
    room = height - len(head) - len(nodes) - len(alarms) - 1 - 2  # the footer, and two headings
    for_trunks = min(len(trunks), max(1, room // 3))
    for_accounts = max(1, room - for_trunks)
    body = [
        *head,
        *nodes,
        *_accounts(accounts, wish.sort, for_accounts, plain),
        *_trunks(trunks, for_trunks),
        *alarms,
    ]
    body = body[: height - 1]
    return [Line(cut(line.text, width), line.style) for line in [*body, _footer(wish)]]


def _head(found: Overview, wish: Wish, at_ms: int, width: int, plain: bool, note: str) -> list[Line]:
    up = sum(node.state == "up" for node in found.nodes)
    paused = "  PAUSED" if wish.is_paused else ""
    rates = [
        f"attempts {found.attempts_per_s:g}/s",
        f"admitted {found.admitted_per_s:g}/s",
        f"refused {found.refused_per_s:g}/s",
        f"calls {found.calls:,}",
        f"p99 {found.decision_p99_ms:g} ms",
    ]
    reasons = ", ".join([f"{reason} {rate:g}" for reason, rate in found.refused_by_reason]) or "none"
    return [
        Line(f"edge top  {up} of {len(found.nodes)} nodes up  {show_instant(at_ms)}{paused}", "bold"),
        Line("  ".join(rates)),
        Line(f"attempts {_sparks([second.attempts for second in found.history][-(width - 12) :], plain)}"),
        Line(f"refused  {reasons}", "yellow" if found.refused_by_reason else ""),
        *([Line(note, "bold red")] if note else []),
    ]


def _sparks(counts: Sequence[int], plain: bool) -> str:
    blocks = _PLAIN_BLOCKS if plain else _BLOCKS
    most = max(counts, default=0)
    return "".join([blocks[(count * (len(blocks) - 1) + most - 1) // most if most else 0] for count in counts])


def _nodes(found: Overview, most: int) -> list[Line]:
    lines = [
        Line(
            f"{'NODE':<{NAME}} {'STATE':<9} {'CALLS':>7} {'ATT/S':>7} {'REF/S':>7} {'P99 MS':>7} {'LAG MS':>7}", "bold"
        )
    ]
    # Whoever is not well is seen first.
    for row in sorted(found.nodes, key=lambda row: (row.state == "up" and not row.wrong, row.name))[:most]:
        is_well = row.state == "up" and not row.wrong
        numbers = f"{row.calls:>6,} {row.attempts_per_s:>6g} {row.refused_per_s:>6g} {row.decision_p99_ms:>6g} "
        text = f"{cut(row.name, NAME):<{NAME}} {row.state:<9} {numbers}{row.loop_lag_ms:>6g} {', '.join(row.wrong)}"
        lines.append(Line(text.rstrip(), "" if is_well else "red"))
    return lines


def use_of(row: AccountUse) -> float:
    """The share of the ceiling it is nearest to; 0 where none is known."""
    calls = row.calls / row.calls_ceiling if row.calls_ceiling else 0.0
    return max(calls, row.attempts_per_s / row.caps if row.caps else 0.0)


def _title(name: str, rows: Sequence[object], most: int) -> str:
    """The heading of a table that may not have room for all."""
    shown = f"{name} {most} of {len(rows)}" if len(rows) > most else name
    return cut(shown, NAME).ljust(NAME)


def _accounts(rows: Sequence[AccountUse], sort: Sort, most: int, plain: bool) -> list[Line]:
    keys = {
        Sort.RATE: lambda row: (-row.attempts_per_s, row.account),
        Sort.CALLS: lambda row: (-row.calls, row.account),
        Sort.USE: lambda row: (-use_of(row), row.account),
        Sort.REFUSED: lambda row: (-row.refused_per_s, row.account),
        Sort.NAME: lambda row: row.account,
    }
    heading = f"{_title('ACCOUNT', rows, most)} {'ATT/S':>7} {'CAPS':>6} {'REF/S':>7} {'CALLS':>7} {'OF':>7}  IN USE"
    lines = [Line(heading, "bold")]
    full, empty = "#." if plain else "█░"
    for row in sorted(rows, key=keys[sort])[:most]:
        use = use_of(row)
        filled = min(BAR, int(use * BAR + 0.5))
        caps, ceiling = (str(number) if number else "-" for number in (row.caps, row.calls_ceiling))
        numbers = f"{row.attempts_per_s:>7g} {caps:>6} {row.refused_per_s:>7g} {row.calls:>7,} {ceiling:>7}"
        bar = full * filled + empty * (BAR - filled)
        style = "red" if use >= 0.95 else "yellow" if use >= 0.8 else ""
        lines.append(Line(f"{cut(row.account, NAME):<{NAME}} {numbers}  {bar} {use:>4.0%}", style))
    return lines


def _trunks(rows: Sequence[TrunkUse], most: int) -> list[Line]:
    heading = f"{_title('TRUNK', rows, most)} {'STATE':<9} {'CALLS':>7} {'ASR':>6} {'OF':>7}"
    lines = [Line(heading, "bold")]
    unwell_first = sorted(rows, key=lambda row: (rank_of(row.health), -row.calls, row.trunk))
    for row in unwell_first[:most]:
        asr = f"{row.answered / row.attempts:.0%}" if row.attempts else "-"
        text = f"{cut(row.trunk, NAME):<{NAME}} {row.health:<9} {row.calls:>7,} {asr:>6} {row.attempts:>7,}"
        lines.append(Line(text, {"down": "red", "up": ""}.get(row.health, "yellow")))
    return lines


def _alarms(found: Overview, most: int) -> list[Line]:
    lines = []
    for alarm in found.alarms[:most]:
        stands = f" {alarm.in_use} of {alarm.ceiling}" if alarm.ceiling else ""
        what = "refused or cut by" if alarm.percent >= 100 else f"at {alarm.percent} % of"
        lines.append(Line(f"! {alarm.holder} {what} {alarm.limit}{stands}, {alarm.age_s} s ago", "red"))
    more = len(found.alarms) - most
    if more > 0:
        lines[-1] = Line(f"{lines[-1].text}; and {more} more alarms", "red")
    return lines


def _footer(wish: Wish) -> Line:
    if wish.is_typing:
        return Line(f"filter: {wish.filter}_   Enter keeps it, Esc clears it", "reverse")
    chosen = f"  filter: {wish.filter} (Esc clears)" if wish.filter else ""
    return Line(
        f"q quit  s sort: {wish.sort.value}  / filter  p {'go on' if wish.is_paused else 'pause'}{chosen}", "reverse"
    )
