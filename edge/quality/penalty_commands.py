"""`edge penalties …`: the penalty ledger of contract article 27, at the command line."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from edge.accounts import values
from edge.accounts.options import By, Config, DryRun, Json, Reason, Redis, State
from edge.quality.commands import (
    Form,
    Output,
    Prefix,
    check_form,
    check_month,
    run,
    write,
)
from edge.terminal import fail, or_usage, say, to_json, usage, user_name
from limits.account import AccountId, is_account_id

if TYPE_CHECKING:
    from edge.quality.desk import Desk
    from edge.quality.entries import Entry

app = typer.Typer(
    name="penalties",
    help="The penalty ledger (contract article 27): look, enter, correct, export, prove.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Account = Annotated[str, typer.Argument(help="An account.", metavar="ACCOUNT")]
Month = Annotated[str, typer.Option(help="Only of this month, YYYY-MM of the policy's time zone.", metavar="MONTH")]


@app.command("list")
def list_(
    account: Account,
    month: Month = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Every entry of an account, the oldest first, and what they add up to."""
    holder = _account(account)
    if month:
        check_month("--month", month)
    from edge.quality import book, views
    from edge.quality.entries import in_month

    async def work(desk: "Desk") -> list[str]:
        found = await book.read(desk.ledger, holder)
        if not found:
            await desk.accounts.read(holder)
        entries = in_month(found, month, desk.terms)
        if as_json:
            return [json.dumps([views.entry_data(entry, "", desk.terms) for entry in entries])]
        return views.entry_lines(entries)

    say(*run((redis, state, config), work))


@app.command()
def add(
    account: Account,
    kind: Annotated[
        str, typer.Argument(help="cli, regulator, ticket_33700, complaint, judicial or support.", metavar="KIND")
    ],
    reference: Annotated[
        str, typer.Option(help="Of the case: the same one again enters nothing.", metavar="TEXT")
    ] = "",
    amount: Annotated[str, typer.Option(help="Instead of the policy's.", metavar="AMOUNT")] = "",
    surcharge: Annotated[str, typer.Option(help="Of other operators, passed on.", metavar="AMOUNT")] = "0",
    at: Annotated[str, typer.Option(help="When it was: ISO 8601; default: now.", metavar="INSTANT")] = "",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Enter a case that somebody else found: a 33700 ticket, a complaint, a judicial request …"""
    holder = _account(account)
    from edge.accounts.views import amount_of
    from edge.quality import book, views
    from edge.quality.entries import case_entry
    from edge.quality.penalties import CASES

    if kind not in CASES:
        usage(f"KIND: {kind!r}: expected {', '.join(CASES)}")
    if not reference:
        usage("--reference: expected the case's reference, so that nothing is entered twice")
    or_usage(lambda: values.line_of("--reference", reference, most=128))
    or_usage(lambda: values.line_of("--reason", reason, most=500))
    who = or_usage(lambda: values.line_of("--by", by or user_name(), most=100))
    given = or_usage(lambda: amount_of("--amount", amount, least=0)) if amount else None
    passed_on = or_usage(lambda: amount_of("--surcharge", surcharge, least=0))
    at_s = or_usage(lambda: _instant(at)) if at else None

    async def work(desk: "Desk") -> list[str]:
        now_ms = await desk.tallies.now_ms()
        entry = case_entry(
            holder,
            kind,
            reference,
            desk.terms,
            now_ms=now_ms,
            at_s=at_s,
            amount_micros=given,
            surcharge_micros=passed_on,
            by=who,
            why=reason,
        )
        if dry_run:
            await desk.accounts.read(holder)
            seq = await desk.ledger.booked(holder, entry.reference)
            return _told(entry._replace(seq=seq or 0), is_new=seq is None, is_dry=True, as_json=as_json, digest="")
        done = await book.enter(desk.ledger, entry)
        if as_json:
            data = views.entry_data(done.entry, done.digest, desk.terms)
            return [json.dumps({**data, "is_new": done.is_new, "dry_run": False})]
        return _told(done.entry, is_new=done.is_new, is_dry=False, as_json=False, digest=done.digest)

    say(*run((redis, state, config), work))


@app.command()
def correct(
    account: Account,
    entry: Annotated[int, typer.Argument(help="Its number in the ledger.", metavar="SEQ", min=1)],
    to: Annotated[str, typer.Option(help="What it is to come to, in all.", metavar="AMOUNT")] = "0",
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """A counter-entry, so that an entry comes to another amount: 0 takes it back, 2000 makes a candidate count."""
    holder = _account(account)
    from edge.accounts.views import amount_of
    from edge.config.money import format_money
    from edge.quality import book
    from edge.quality.entries import net_micros

    micros = or_usage(lambda: amount_of("--to", to, least=0))
    if not reason:
        usage("--reason: a correction needs one: it is kept in the ledger")
    or_usage(lambda: values.line_of("--reason", reason, most=500))
    who = or_usage(lambda: values.line_of("--by", by or user_name(), most=100))

    async def work(desk: "Desk") -> list[str]:
        if dry_run:
            net = net_micros(await book.read(desk.ledger, holder), entry)
            if as_json:
                return [to_json({"account": holder, "entry": entry, "dry_run": True, "from": net, "to": micros})]
            lines = ["dry run: nothing is changed", f"entry {entry}: {format_money(net)} -> {format_money(micros)}"]
            return lines
        currency = desk.terms.currency
        done = await book.correct(desk.ledger, holder, entry, to_micros=micros, currency=currency, by=who, why=reason)
        if as_json:
            seq = None if done is None else done.entry.seq
            return [to_json({"account": holder, "entry": entry, "dry_run": False, "to": micros, "entered": seq})]
        if done is None:
            return [f"{holder}: entry {entry} comes to {format_money(micros)} already: nothing was entered"]
        amount = format_money(done.entry.amount_micros)
        return [f"{holder}: entry {done.entry.seq} of {amount}: entry {entry} comes to {format_money(micros)} now"]

    say(*run((redis, state, config), work))


@app.command()
def export(
    month: Month = "",
    prefix: Prefix = "",
    form: Form = "csv",
    output: Output = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
) -> None:
    """Every entry of every account, of one month or of all; with totals as JSON. The chain is checked on the way."""
    check_form(form)
    if month:
        check_month("--month", month)
    from edge.quality import book, views

    async def work(desk: "Desk") -> list[str]:
        found = await book.proved(desk.ledger, await _accounts(desk, prefix))
        rows = [(entry, digest) for entry, digest in found if not month or entry.month(desk.terms) == month]
        if form == "csv":
            return [views.entries_csv(rows, desk.terms)]
        return [json.dumps(views.export_data(rows, month, desk.terms)) + "\n"]

    write(output, *run((redis, state, config), work))


@app.command()
def verify(
    prefix: Prefix = "", redis: Redis = None, state: State = None, config: Config = None, as_json: Json = False
) -> None:
    """Is every ledger whole, entry by entry? Tells the last digest of each: keep it elsewhere. Exit 1 where one is
    not."""
    from edge.quality import book

    async def work(desk: "Desk") -> tuple[list[str], list[str]]:
        whole, broken = [], []
        ledgers: list[dict[str, str | int]] = []
        for holder in await _accounts(desk, prefix):
            lines, fault = await book.prove(desk.ledger, holder)
            digest = lines[-1].digest if lines else ""
            ledgers.append({"account": holder, "entries": len(lines), "digest": digest, "fault": fault})
            if fault:
                broken.append(f"{holder}: {fault}")
            elif lines:
                whole.append(f"{holder}: {len(lines)} entries, whole, last digest {lines[-1].digest}")
        if as_json:
            return [to_json([one for one in ledgers if one["entries"] or one["fault"]])], broken
        return whole or ["no entries"], broken

    whole, broken = run((redis, state, config), work)
    say(*(whole if whole != ["no entries"] or not broken else ()))
    if broken:
        fail("\nedge: ".join(broken))


async def _accounts(desk: "Desk", prefix: str) -> list[AccountId]:
    names = await desk.accounts.holders()
    return [AccountId(name) for name in names if is_account_id(name) and name.startswith(prefix)]


def _told(entry: "Entry", *, is_new: bool, is_dry: bool, as_json: bool, digest: str) -> list[str]:
    from edge.config.money import format_money

    if as_json:
        return [json.dumps({**entry.data(), "digest": digest, "is_new": is_new, "dry_run": is_dry})]
    lines = ["dry run: nothing is changed"] if is_dry else []
    amount = f"{format_money(entry.amount_micros)} {entry.currency}"
    if not is_new:
        return [*lines, f"{entry.account}: {entry.reference} is entered already, as entry {entry.seq}: nothing changed"]
    number = "" if is_dry else f" {entry.seq}"
    return [*lines, f"{entry.account}: entry{number}, {entry.kind}, {amount}"]


def _account(name: str) -> AccountId:
    if not is_account_id(name):
        usage(f"ACCOUNT: {name!r}: expected 1 to 128 printable ASCII characters without braces, and no group or trunk")
    return AccountId(name)


def _instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--at {text!r}: expected an instant such as 2026-11-02T09:30Z") from None
    if at.tzinfo is None:
        raise ValueError(f"--at {text}: in which zone? Expected {text}Z or {text}+01:00")
    return int(at.astimezone(UTC).timestamp())
