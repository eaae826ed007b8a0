"""Accounts as an operator reads them: lines of a terminal, data for a machine. Pure."""

from typing import TYPE_CHECKING, NamedTuple

from edge.accounts.values import (
    Changed,
    Created,
    ToppedUp,
    operator_name,
    show_instant,
    show_span,
    show_stored,
    show_text,
)
from edge.config.money import format_money, parse_money
from edge.terminal import aligned
from limits import fields
from limits.account import Account
from limits.keys import VALUE_FIELDS
from limits.model import Usage
from limits.rate import MICRO
from limits.rates import MAX_MONEY_MICROS
from limits.share import DAY_MS, share_of

if TYPE_CHECKING:
    from limits.accounts import AuditEntry

Data = dict[str, object]
SHARE_DAYS = 30
"""Days of which placed and received calls are told: those of the numbering plan."""


class Listed(NamedTuple):
    """A row of `list`."""

    account: str
    status: str
    in_use: int
    calls: int
    caps: int
    balance_micros: int
    held_micros: int
    last_call_ms: int


_HEADINGS = ("ACCOUNT", "STATUS", "CALLS", "OF", "CAPS", "BALANCE", "HELD", "LAST CALL")


def money(micros: int) -> str:
    """An amount; the currency is the policy document's."""
    return format_money(micros)


def amount_of(name: str, text: str, *, least: int = -MAX_MONEY_MICROS) -> int:
    """Micro-units of an amount on the command line. Raises ValueError."""
    try:
        micros = parse_money(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r}: expected an amount with at most 6 decimals: 12.50") from None
    if not least <= micros <= MAX_MONEY_MICROS:
        raise ValueError(f"{name}: {text}: expected {money(least)} to {money(MAX_MONEY_MICROS)}")
    return micros


def dry(is_dry: bool) -> tuple[str, ...]:
    """The line before what would be done."""
    return ("dry run: nothing is changed",) if is_dry else ()


# -- one account ---------------------------------------------------------------------------------------------------


def usage_lines(usage: Usage) -> list[str]:
    """Everything in force and in use."""
    account = usage.account
    counters = dict(usage.counters)
    cut = ", running calls are cut" if account.is_cut and account.status != "active" else ""
    rows = [
        ("CAPS", f"{account.caps} = {account.caps_base} + {account.caps_lots} x {account.caps_lot_size}; "
         f"burst {account.burst}, {usage.tokens_micro / MICRO:.1f} tokens now"),
        ("calls", f"{usage.in_use} of {account.calls} = {account.calls_base} + {account.call_lots} x "
         f"{account.call_lot_size}"),
    ]  # fmt: skip
    in_use = dict(usage.prefixes)
    for prefix, most, rate in account.prefix_ceilings:
        rows.append((f"  to {prefix}", f"{in_use.get(prefix, 0)} of {_or_any(most)} calls, CAPS {_or_any(rate)}"))
    if account.group:
        rows.append(("group", f"{account.group}, {account.calls_reserved} calls reserved"))
    free = usage.balance_micros - account.floor_micros - usage.held_micros
    rows.append(
        (
            "credit",
            f"{account.credit}: balance {money(usage.balance_micros)}, floor {money(account.floor_micros)}, "
            f"held {money(usage.held_micros)}, free {money(free)}",
        )
    )
    rows.append(
        (
            "spent",
            f"this hour {_of_cap(usage.spent_hour_micros, account.spend_cap_hour_micros)}, "
            f"today {_of_cap(usage.spent_day_micros, account.spend_cap_day_micros)} (UTC)",
        )
    )
    if account.max_rate_micros is not None:
        rows.append(("dearest rate", f"{money(account.max_rate_micros)} a minute"))
    if account.shadow:
        rows.append(("shadow", f"{', '.join(sorted(account.shadow))}: judged, not enforced"))
    for name, at, back in usage.reverts:
        rows.append(("returns", f"{operator_name(name)} to {show_stored(name, back)} at {show_instant(at)}"))
    if usage.shares:
        share = share_of(dict(usage.shares), window_ms=SHARE_DAYS * DAY_MS, now_ms=usage.now_ms)
        known = "" if share.is_whole else ", not counted for so long yet"
        rows.append(
            (
                f"in {SHARE_DAYS} days",
                f"{share.placed} automated calls placed, {share.received} calls received (answered){known}",
            )
        )
    rows.append(("last call", show_instant(usage.last_call_ms) if usage.last_call_ms else "never"))
    told = [f"{name.removesuffix('_micros')} {_counted(name, number)}" for name, number in counters.items() if number]
    rows.append(("so far", ", ".join(told) or "nothing"))
    head = f"{account.id}: {account.status}{cut}, generation {account.generation}"
    return [head, *[f"  {name:<14}{text}" for name, text in rows]]


def usage_data(usage: Usage) -> Data:
    """The same for a machine."""
    account = usage.account
    return {
        "account": account.id,
        "generation": account.generation,
        "values": {name: _plain(getattr(account, name)) for name in VALUE_FIELDS},
        "caps": account.caps,
        "burst": account.burst,
        "calls": account.calls,
        "in_use": usage.in_use,
        "tokens_micro": usage.tokens_micro,
        "balance_micros": usage.balance_micros,
        "held_micros": usage.held_micros,
        "spent_hour_micros": usage.spent_hour_micros,
        "spent_day_micros": usage.spent_day_micros,
        "expired": usage.expired,
        "prefixes": dict(usage.prefixes),
        "reverts": [{"name": name, "at_ms": at, "to": _typed(name, back)} for name, at, back in usage.reverts],
        "last_call_ms": usage.last_call_ms,
        "now_ms": usage.now_ms,
        "shares": {name: int(number) for name, number in usage.shares},
        "counters": dict(usage.counters),
    }


def call_lines(usage: Usage) -> list[str]:
    """The running calls."""
    if not usage.calls:
        return [f"{usage.account.id}: no calls"]
    rows: list[tuple[str, ...]] = [("CALL", "NODE", "SINCE", "RINGS", "TALKS", "PAID", "HELD", "LEASE")]
    for call in usage.calls:
        rang_until = call.answered_ms or usage.now_ms
        paid = show_span(call.paid_s * 1_000) if call.paid_s else "-"
        rows.append(
            (
                call.uid,
                call.node,
                show_instant(call.admitted_ms),
                show_span(rang_until - call.admitted_ms),
                show_span(usage.now_ms - call.answered_ms) if call.answered_ms else "-",
                paid,
                money(call.held_micros) if call.paid_s else "-",
                show_span(call.lease_until_ms - usage.now_ms),
            )
        )
    more = usage.in_use - len(usage.calls)
    return [*aligned(rows), *([f"and {more} more"] if more > 0 else [])]


# -- many ----------------------------------------------------------------------------------------------------------


def listed(usage: Usage) -> Listed:
    """One row."""
    account = usage.account
    return Listed(
        account=account.id,
        status=str(account.status),
        in_use=usage.in_use,
        calls=account.calls,
        caps=account.caps,
        balance_micros=usage.balance_micros,
        held_micros=usage.held_micros,
        last_call_ms=usage.last_call_ms,
    )


def list_lines(rows: list[Listed]) -> list[str]:
    """A table."""
    if not rows:
        return ["no accounts"]
    cells: list[tuple[str, ...]] = [_HEADINGS]
    for row in rows:
        last = show_instant(row.last_call_ms) if row.last_call_ms else "never"
        numbers = (str(row.in_use), str(row.calls), str(row.caps), money(row.balance_micros), money(row.held_micros))
        cells.append((row.account, row.status, *numbers, last))
    return aligned(cells, right=range(2, 7))


# -- changes -------------------------------------------------------------------------------------------------------


def created_lines(created: Created) -> list[str]:
    """What there is now."""
    account, opening = created
    credit = "no credit" if account.credit == "none" else str(account.credit)
    return [
        f"{account.id}: created (generation 1): CAPS {account.caps}, {account.calls} calls, {credit}, "
        f"balance {money(opening)}"
    ]


def created_data(created: Created, *, dry_run: bool) -> Data:
    """The same for a machine."""
    account, opening = created
    return {
        "account": account.id,
        "dry_run": dry_run,
        "generation": account.generation,
        "values": {name: _plain(getattr(account, name)) for name in VALUE_FIELDS},
        "caps": account.caps,
        "burst": account.burst,
        "calls": account.calls,
        "balance_micros": opening,
    }


def change_lines(changed: Changed, already: str = "") -> list[str]:
    """What changed: `name before -> after`, with the ceilings that follow. `already`: what it is where nothing does."""
    before, after, until, cancelled, returns = changed
    pairs = _pairs(before, after)
    if not pairs and not cancelled and not returns:
        return [
            f"{after.id}: {f'is {already} already' if already else 'nothing to change'}, generation {after.generation}"
        ]
    told = [f"{operator_name(name)} {show_stored(name, was)} -> {show_stored(name, now)}" for name, was, now in pairs]
    for name, was, now in (("CAPS", before.caps, after.caps), ("calls", before.calls, after.calls)):
        if was != now:
            told.append(f"{name} {was} -> {now}")
    lines = [f"{after.id}: {', '.join(told) or f'is {already} already'} (generation {after.generation})"]
    if returns and until is not None:
        back = ", ".join(f"{operator_name(name)} to {show_stored(name, text)}" for name, text in returns)
        lines.append(f"{after.id}: returns by itself at {show_instant(until)}: {back}")
    for name, at, back_to in cancelled:
        text = show_stored(name, back_to)
        lines.append(f"{after.id}: {operator_name(name)} was to return to {text} at {show_instant(at)}: now it stays")
    return lines


def change_data(changed: Changed, *, dry_run: bool) -> Data:
    """The same for a machine."""
    before, after, until, cancelled, returns = changed
    return {
        "account": after.id,
        "dry_run": dry_run,
        "generation": after.generation,
        "until_ms": until,
        "changed": {
            name: [_plain(getattr(before, name)), _plain(getattr(after, name))] for name, _, _ in _pairs(before, after)
        },
        "returns": [{"name": name, "at_ms": until, "to": _typed(name, back)} for name, back in returns],
        "cancelled": [{"name": name, "at_ms": at, "to": _typed(name, back)} for name, at, back in cancelled],
    }


def top_up_lines(holder: str, done: ToppedUp, reference: str, *, dry_run: bool) -> list[str]:
    """What became of the balance."""
    if done.already:
        balance = money(done.after_micros)
        return [
            *dry(dry_run),
            f"{holder}: reference {reference!r} is booked already: nothing changed, balance {balance}",
        ]
    return [*dry(dry_run), f"{holder}: balance {money(done.before_micros)} -> {money(done.after_micros)}"]


def top_up_data(holder: str, done: ToppedUp, *, dry_run: bool) -> Data:
    """The same for a machine."""
    return {"account": holder, "dry_run": dry_run, **done._asdict()}


def history_lines(entries: list["AuditEntry"]) -> list[str]:
    """The journal, the newest first."""
    lines = []
    for entry in entries:
        why = f": {show_text(entry.why)}" if entry.why else ""
        until = f", until {show_instant(entry.until_ms)}" if entry.until_ms else ""
        lines.append(f"{show_instant(entry.at_ms)}  generation {entry.generation}, {show_text(entry.by)}{why}{until}")
        for name, was, now in entry.values:
            if entry.generation == 1 and not was and name in VALUE_FIELDS:
                continue  # every value it began with: `show` tells those that matter
            came = f"{show_stored(name, was)} -> " if was or name in VALUE_FIELDS else ""
            text = f"stays {show_stored(name, now)}" if was == now else f"{came}{show_stored(name, now)}"
            lines.append(f"    {operator_name(name)} {text}")
    return lines or ["no history"]


def entry_data(entry: "AuditEntry") -> Data:
    """The same for a machine; nothing was before the first entry."""
    changed = [
        {
            "name": name,
            "before": None if entry.generation == 1 and not was else _typed(name, was),
            "after": _typed(name, now),
        }
        for name, was, now in entry.values
    ]
    return {**entry._asdict(), "values": changed}


def _pairs(before: Account, after: Account) -> list[tuple[str, str, str]]:
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in VALUE_FIELDS]
    return [(name, fields.to_text(name, was), fields.to_text(name, now)) for name, was, now in pairs if was != now]


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [dict(one._asdict()) if hasattr(one, "_asdict") else one for one in value]
    return value


def _typed(name: str, stored: str) -> object:
    """What the store keeps as text; None for nothing, the text itself where it is none of ours."""
    try:
        if name in VALUE_FIELDS:
            return _plain(fields.from_text(name, stored))
        return int(stored) if name.endswith("_micros") else stored
    except ValueError:
        return stored or None


def _counted(name: str, number: int) -> str:
    return money(number) if name.endswith("_micros") else str(number)


def _or_any(number: int | None) -> str:
    return "any" if number is None else str(number)


def _of_cap(spent: int, cap: int | None) -> str:
    return money(spent) if cap is None else f"{money(spent)} of {money(cap)}"
