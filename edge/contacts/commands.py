"""`edge contacts …`: refusals, consents and contracts of people called, in the store, in force at the next INVITE.

Parses, calls one function, prints. Numbers are digested here: the store never has one.
"""

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts.options import By, Config, Json, Redis, State
from edge.terminal import fail, say, to_json, usage, user_name
from limits.account import AccountId, is_account_id

if TYPE_CHECKING:
    from edge.config.plan import NumberPlan
    from limits.contacts import ContactBook, ContactRecord
    from limits.frequency import Contacted

app = typer.Typer(
    name="contacts",
    help="People called: refusals, consents, contracts. Telemarketing is judged by them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Account = Annotated[str, typer.Argument(help="The account that calls.", metavar="ACCOUNT")]
Number = Annotated[str, typer.Argument(help="The person's number, in any spelling.", metavar="NUMBER")]
At = Annotated[str, typer.Option(help="When it happened: a day or an instant; default: now.", metavar="WHEN")]
KeyOption = Annotated[
    str | None,
    typer.Option("--contacts-key", help="File with the key of the digests. Also EDGE_CONTACTS_KEY.", metavar="FILE"),
]
_T = TypeVar("_T")
Store = tuple[str | None, str | None, str | None, str | None]
"""--redis, --state, --config and --contacts-key."""


@app.command()
def refusal(
    account: Account,
    number: Number,
    at: At = "",
    by: By = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    contacts_key: KeyOption = None,
    as_json: Json = False,
) -> None:
    """The person refuses: the account's professional may not call while the law says so; consents are undone."""
    words = {"number": number, "what": "refusal", "at": at}
    _record((redis, state, config, contacts_key), account, [words], by, as_json)


@app.command()
def consent(
    account: Account,
    number: Number,
    proof: Annotated[str, typer.Option(help="Where the consent can be shown.", metavar="TEXT")],
    at: At = "",
    any_hour: Annotated[bool, typer.Option("--any-hour", help="Outside the permitted days and hours too.")] = False,
    by: By = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    contacts_key: KeyOption = None,
    as_json: Json = False,
) -> None:
    """The person consents to be called, for a year at most."""
    words = {"number": number, "what": "hours-consent" if any_hour else "consent", "at": at, "proof": proof}
    _record((redis, state, config, contacts_key), account, [words], by, as_json)


@app.command()
def withdraw(
    account: Account,
    number: Number,
    at: At = "",
    by: By = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    contacts_key: KeyOption = None,
    as_json: Json = False,
) -> None:
    """The person takes every consent back."""
    words = {"number": number, "what": "withdrawal", "at": at}
    _record((redis, state, config, contacts_key), account, [words], by, as_json)


@app.command()
def contract(
    account: Account,
    number: Number,
    until: Annotated[str, typer.Option(help="The contract is in progress until then.", metavar="DAY")],
    by: By = "",
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    contacts_key: KeyOption = None,
    as_json: Json = False,
) -> None:
    """A contract with the person is in progress: calls about it need no consent."""
    words = {"number": number, "what": "contract", "until": until}
    _record((redis, state, config, contacts_key), account, [words], by, as_json)


@app.command("import")
def import_(
    account: Account,
    file: Annotated[Path, typer.Argument(help="CSV: number, what, and optionally at, until, proof.", metavar="FILE")],
    by: By = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read the file; record nothing.")] = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    contacts_key: KeyOption = None,
    as_json: Json = False,
) -> None:
    """Many at once: all lines of the file, or none where one cannot be read."""
    from edge.contacts.entries import EntriesError, read_csv

    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            entries = read_csv(lines, _plan(), _now_ms())
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file}: not UTF-8")
    except EntriesError as error:
        fail(*(f"{file}: {problem}" for problem in error.problems))
    counts = ", ".join(f"{count} {what}" for what, count in _counted([entry.what for entry in entries]))
    told = to_json({"account": account, "dry_run": dry_run, "recorded": dict(_counted([one.what for one in entries]))})
    if dry_run:
        say(told if as_json else f"{file}: would record {counts or 'nothing'}")
        return
    from edge.contacts.entries import note_of

    key, url, shown = _open((redis, state, config, contacts_key))
    now, who, digest = _now_ms(), _by(by), _digest(key)
    notes = [note_of(entry, digest, now, by=who) for entry in entries]
    _run(url, shown, key, account, lambda book: book.note(AccountId(account), notes))
    say(told if as_json else f"{account}: recorded {counts or 'nothing'}")


@app.command()
def show(
    account: Account,
    number: Number,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    contacts_key: KeyOption = None,
    as_json: Json = False,
) -> None:
    """What is recorded of one person, with its proofs, and the latest attempts that count."""
    from edge.contacts.entries import entry_of
    from edge.policy.verdicts import TELEMARKETING

    try:
        e164 = entry_of({"number": number, "what": "refusal"}, _plan(), _now_ms()).number
    except ValueError as error:
        usage(str(error))
    key, url, shown = _open((redis, state, config, contacts_key))
    name = _digest(key)(e164)
    found = _run(url, shown, key, account, lambda book: book.read(AccountId(account), name, frequency=TELEMARKETING))
    if as_json:
        say(json.dumps({**found.happened._asdict(), "notes": found.notes, "attempts_ms": found.attempts_ms}))
    else:
        say(*_shown(account, e164, found))


@app.command("key")
def key_(
    accept: Annotated[
        bool, typer.Option("--accept", help="From now on this key: what was counted under another is found no more.")
    ] = False,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    contacts_key: KeyOption = None,
    as_json: Json = False,
) -> None:
    """Is this the key the store's digests were made with?"""
    from edge.contacts.key import fingerprint

    key, url, shown = _open((redis, state, config, contacts_key))
    ours = fingerprint(key)

    async def look(book: "ContactBook") -> str:
        if accept:
            await book.change_key(ours)
        return await book.agree_on_key(ours)

    theirs = _run(url, shown, None, "", look)
    if as_json:
        say(to_json({"key": ours, "store": theirs, "agree": ours == theirs}))
    if theirs != ours:
        fail(f"this key is {ours}, the store's is {theirs}; --accept changes the store to this one")
    if not as_json:
        say(f"{ours}: this key and the store agree")


def _record(store: Store, account: str, rows: list[dict[str, str]], by: str, as_json: bool) -> None:
    from edge.contacts.entries import entry_of, note_of

    now = _now_ms()
    try:
        entries = [entry_of(words, _plan(), now) for words in rows]
    except ValueError as error:
        usage(f"NUMBER, --at, --until, --proof: {error}")
    key, url, shown = _open(store)
    notes = [note_of(entry, _digest(key), now, by=_by(by)) for entry in entries]
    found = _run(url, shown, key, account, lambda book: book.note(AccountId(account), notes))
    for entry, after in zip(entries, found, strict=True):
        if as_json:
            say(to_json({"account": account, "number": entry.number, "what": entry.what, **after._asdict()}))
            continue
        say(f"{account}: {entry.what} of {entry.number} is recorded; {'; '.join(_facts(after)) or 'nothing counts'}")


def _open(store: Store) -> tuple[bytes, str, str]:
    """The key, the store's URL, and how to name the store."""
    from edge.accounts.changes import Place, Refused, store_url
    from edge.config.errors import StaticConfigError
    from edge.contacts.key import KEY_FILE, read_key
    from edge.settings import read_settings

    redis, state, config, contacts_key = store
    try:
        given = {"redis": redis, "state": state, "contacts_key": contacts_key, "policy": "-"}
        settings = read_settings(given, config)
        url, shown = store_url(Place(redis, state, config))
        path = Path(settings.contacts_key) if settings.contacts_key else Path(settings.state) / KEY_FILE
        return read_key(path), url, shown
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))
    except (Refused, ValueError) as error:
        fail(str(error))


def _run(url: str, shown: str, key: bytes | None, account: str, work: "Callable[[ContactBook], Awaitable[_T]]") -> _T:
    import asyncio

    from edge.contacts.key import agree
    from limits.contacts import ContactBook
    from limits.errors import StoreUnavailable, UnknownAccount

    if key is not None and not is_account_id(account):
        usage(f"ACCOUNT: {account!r}: expected the name of an account")

    async def do() -> _T:
        if key is not None:
            await agree(url, key)
        async with ContactBook(url) as book:
            return await work(book)

    try:
        return asyncio.run(do())
    except UnknownAccount:
        fail(f"no account {account!r} in the store {shown}")
    except StoreUnavailable as error:
        fail(f"the store {shown}: {error}")


def _shown(account: str, number: str, found: "ContactRecord") -> list[str]:
    lines = [f"{account}, {number}: {'; '.join(_facts(found.happened)) or 'nothing is recorded'}"]
    for note in found.notes:
        words = json.loads(note)
        proof = f", proof: {words['proof']}" if words.get("proof") else ""
        what = f"{words['what']} of {_instant(words['at_ms'])}"
        lines.append(f"  {_instant(words['noted_ms'])}  {what} by {words['by']}{proof}")
    lines.append(f"attempts that count: {', '.join(map(_instant, found.attempts_ms)) or 'none'}")
    if found.keep_ms:
        lines.append(f"kept for {found.keep_ms // 86_400_000} more days")
    return lines


def _facts(happened: "Contacted") -> list[str]:
    words = {
        "refused_ms": "refused",
        "consent_ms": "consented",
        "hours_ms": "consented to any hour",
        "withdrawn_ms": "took consents back",
        "contract_ms": "contract in progress until",
    }
    return [f"{words[name]} {_instant(at)}" for name, at in happened._asdict().items() if at]


def _instant(at_ms: int) -> str:
    from edge.accounts.values import show_instant

    return show_instant(at_ms)


def _counted(words: list[str]) -> list[tuple[str, int]]:
    return [(word, words.count(word)) for word in dict.fromkeys(words)]


def _plan() -> "NumberPlan":
    from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset, plan_of

    return plan_of(built_in_ruleset(BUILT_IN_RULESETS[0]))


def _digest(key: bytes) -> Callable[[str], str]:
    from edge.proxy.identifiers import number_digest

    return lambda number: number_digest(key, number)


def _by(by: str) -> str:
    return by or user_name()


def _now_ms() -> int:
    return int(time.time() * 1_000)
