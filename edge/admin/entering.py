"""Changes made at a terminal, in the same audit as those of the API: one chain for both (I/O).

As there, a change is two entries: `asked` before it, `done` after it with the exit code, so that a command which dies
in between leaves a trace. Who is the user of the machine, `USER@HOST`; from where is the address of a remote shell. A
dry run changes nothing and is not entered. Whoever can write the store can go past this: the audit tells what the
commands did, not what somebody did with a client of the store.
"""

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

import typer

from edge import __version__
from edge.terminal import Place, fail, user_name

Word = str | int | bool | None | list[str]


class Command(Protocol):
    """As much of a command of the parser as is needed."""

    callback: Callable[..., object] | None


_C = TypeVar("_C", bound=Command)


class Change(NamedTuple):
    """A command that changes what is in the store."""

    only_with: str = ""
    """It changes something only where this option is given."""
    is_private: bool = False
    """Its arguments hold numbers of people: they are not kept."""


CHANGES: Mapping[str, Change] = {
    **{
        f"account {verb}": Change()
        for verb in ("create", "caps-lots", "call-lots", "set", "suspend", "resume", "close", "top-up")
    },
    "account idle": Change(only_with="close"),
    "alerts credit": Change(only_with="below"),
    "bans lift": Change(),
    "calls hangup": Change(),
    **{
        f"contacts {verb}": Change(is_private=True) for verb in ("refusal", "consent", "withdraw", "contract", "import")
    },
    "contacts key": Change(only_with="accept", is_private=True),
    "drain": Change(),
    "undrain": Change(),
    "penalties add": Change(),
    "penalties correct": Change(),
    "policy import": Change(),
    "policy rollback": Change(),
    "trunk drain": Change(),
    "trunk maintenance": Change(),
    "trunk resume": Change(),
}
"""Commands by their words. (`edge token` enters what it does itself, without the text of a token.)"""
PLACES = frozenset({"redis", "state", "config", "as_json", "reason", "by", "dry_run", "contacts_key"})
"""Options that say where and how, not what."""
MAX_WORD = 500


def entering(group: _C, words: tuple[str, ...] = ()) -> _C:
    """The command line, with every change entered."""
    for name, command in getattr(group, "commands", {}).items():
        entering(command, (*words, name))
    change = CHANGES.get(" ".join(words))
    if change is not None and group.callback is not None:
        group.callback = _entered(" ".join(words), change, group.callback)
    return group


def _entered(words: str, change: Change, callback: Callable[..., object]) -> Callable[..., object]:
    def run(**params: object) -> object:
        if params.get("dry_run") or (change.only_with and not params.get(change.only_with)):
            return callback(**params)
        url = _store(params)
        if not url:
            return callback(**params)  # it says itself what is wrong with its store
        asked = _enter(url, "asked", words, params, change, seq=None, status=None, before=None)
        if asked is None:
            return callback(**params)
        status = 1
        try:
            result = callback(**params)
            status = 0
            return result
        except typer.Exit as left:
            status = left.exit_code
            raise
        finally:
            _enter(url, "done", words, params, change, seq=asked[0], status=status, before=asked[1])

    return run


def _store(params: Mapping[str, object]) -> str:
    """Empty: it is not to be found."""
    from edge.accounts.changes import Refused, store_url
    from edge.config.errors import StaticConfigError

    try:
        return store_url(Place(*[_text(params.get(name)) for name in ("redis", "state", "config")]))[0]
    except (Refused, StaticConfigError):
        return ""


def _enter(
    url: str,
    event: str,
    words: str,
    params: Mapping[str, object],
    change: Change,
    *,
    seq: int | None,
    status: int | None,
    before: Mapping[str, str] | None,
) -> "tuple[int, dict[str, str]] | None":
    """Number of the entry, and the account's values now. None: the store is away. Ends the command where the audit
    cannot be written."""
    import asyncio

    from limits.errors import StoreUnavailable

    try:
        return asyncio.run(_write(url, event, words, params, change, seq, status, before))
    except StoreUnavailable as error:
        if event == "done":
            typer.echo(f"edge: the audit has no outcome of this: {error}", err=True)
        return None
    except ValueError as error:
        if event == "asked":
            fail(f"the audit cannot be written, so nothing was changed: {error}")
        typer.echo(f"edge: the audit has no outcome of this: {error}", err=True)
        return None


async def _write(
    url: str,
    event: str,
    words: str,
    params: Mapping[str, object],
    change: Change,
    seq: int | None,
    status: int | None,
    before: Mapping[str, str] | None,
) -> tuple[int, dict[str, str]]:
    from edge.admin.audit import Audit, From
    from limits.audit import AuditLog

    values = await _account(url, words, params)
    told: dict[str, object] = {"operation": f"edge {words}", "path": _subject(params, change), "query": ""}
    if event == "asked":
        told |= {
            "why": str(params.get("reason") or "")[:MAX_WORD],
            "body": None if change.is_private else _kept(params),
        }
    else:
        told |= {"asked": seq, "status": status, "change": _difference(before or {}, values)}
    remote = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    source = From(
        f"{user_name()}@{socket.gethostname()}", "terminal", remote or "local", secrets.token_hex(8),
        f"trunkgate/{__version__}",
    )  # fmt: skip
    async with AuditLog(url) as log:
        line = await Audit(log, node=socket.gethostname()).enter(event, source, **told)
    return line.seq, values


async def _account(url: str, words: str, params: Mapping[str, object]) -> dict[str, str]:
    """The commercial values of the account that is changed; nothing of what is no account."""
    from limits import fields
    from limits.account import AccountId, is_holder_id
    from limits.accounts import AccountStore
    from limits.errors import UnknownAccount
    from limits.keys import VALUE_FIELDS

    name = str(params.get("account") or "")
    if not words.startswith("account ") or not is_holder_id(name):
        return {}
    async with AccountStore(url) as store:
        try:
            usage = await store.peek(AccountId(name))
        except (UnknownAccount, ValueError):
            return {}
    account = usage.account
    values = {field: fields.to_text(field, getattr(account, field)) for field in VALUE_FIELDS}
    return {**values, "generation": str(account.generation), "balance_micros": str(usage.balance_micros)}


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str]]:
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not changed:
        return {}
    return {
        "before": {name: before[name] for name in changed if name in before},
        "after": {name: after[name] for name in changed if name in after},
    }


def _subject(params: Mapping[str, object], change: Change) -> str:
    """What it is about: account, trunk, node, call."""
    for name in ("account", "trunk", "node", "uid", "file", "generation"):
        if params.get(name):
            return str(params[name])[:MAX_WORD]
    return ""


def _kept(params: Mapping[str, object]) -> dict[str, Word]:
    """Arguments and options as they were given."""
    return {
        name: _word(value) for name, value in params.items() if name not in PLACES and value not in (None, "", False)
    }


def _word(value: object) -> Word:
    if isinstance(value, list | tuple):
        return [str(one)[:MAX_WORD] for one in value][:50]
    return value if isinstance(value, int | bool) else str(value)[:MAX_WORD]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
