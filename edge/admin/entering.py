"""Changes made at a terminal, in the same audit as those of the API: one chain for both (I/O).

As there, a change is two entries: `asked` before it, `done` after it with the exit code, so that a command which dies
in between leaves a trace. Who is the user of the machine, `USER@HOST`; from where is the address of a remote shell. A
dry run changes nothing and is not entered. Whoever can write the store can go past this: the audit tells what the
commands did, not what somebody did with a client of the store.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

import typer

from edge import __version__
from edge.admin.standing import Values, difference, values_of
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
BOUND_S = 5.0
"""Longest wait for the store before a change; what is left of it, and `LAST_WORD_S` at least, after it."""
LAST_WORD_S = 1.0
NO_ANSWER = "no answer in time"


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
        url, shown = _store(params)
        if not url:
            return callback(**params)  # it says itself what is wrong with its store
        entry = _Entry(url, shown, words, params, change)
        asked, before = entry.ask()
        begun = time.monotonic()
        status = 1
        try:
            result = callback(**params)
            status = 0
            return result
        except typer.Exit as left:
            status = left.exit_code
            raise
        finally:
            entry.finish(asked, before, status, within_s=max(LAST_WORD_S, BOUND_S - (time.monotonic() - begun)))

    return run


def _store(params: Mapping[str, object]) -> tuple[str, str]:
    """Its URL, and how to name it without its password; empty: it is not to be found."""
    from edge.accounts.changes import Refused, store_url
    from edge.config.errors import StaticConfigError

    try:
        return store_url(Place(*[_text(params.get(name)) for name in ("redis", "state", "config")]))
    except (Refused, StaticConfigError):
        return "", ""


class _Entry(NamedTuple):
    """One change, in two entries."""

    url: str
    shown: str
    words: str
    params: Mapping[str, object]
    change: Change

    def ask(self) -> tuple[int, Values]:
        """Number of the entry, and what stood then. Ends the command where the audit cannot be written: what cannot
        be entered is not done, and a store that hangs is waited for once."""
        import asyncio

        from limits.errors import StoreUnavailable

        kept = None if self.change.is_private else _kept(self.params)
        why = str(self.params.get("reason") or "")[:MAX_WORD]
        try:
            return asyncio.run(self._write("asked", BOUND_S, lambda _: {"why": why, "body": kept}))
        except (StoreUnavailable, TimeoutError) as error:
            fail(f"the store {self.shown}: {error or NO_ANSWER}: nothing was changed")
        except ValueError as error:
            fail(f"the audit cannot be written, so nothing was changed: {error}")

    def finish(self, asked: int, before: Values, status: int, *, within_s: float) -> None:
        """What it came to. Where that cannot be entered it is said, and the command ends as it did."""
        import asyncio

        from limits.errors import StoreUnavailable

        def told(after: Values) -> dict[str, object]:
            return {"asked": asked, "status": status, "change": difference(before, after)}

        try:
            asyncio.run(self._write("done", within_s, told))
        except (StoreUnavailable, TimeoutError, ValueError) as error:
            typer.echo(f"edge: the audit has no outcome of this (entry {asked}): {error or NO_ANSWER}", err=True)

    async def _write(
        self, event: str, within_s: float, told: Callable[[Values], dict[str, object]]
    ) -> tuple[int, Values]:
        import asyncio

        from edge.admin.audit import Audit, From
        from limits.audit import AuditLog

        remote = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
        source = From(
            f"{user_name()}@{socket.gethostname()}", "terminal", remote or "local", secrets.token_hex(8),
            f"trunkgate/{__version__}",
        )  # fmt: skip
        async with asyncio.timeout(within_s):
            values = await values_of(self.url, self.words, self.params)
            subject = {"operation": f"edge {self.words}", "path": _subject(self.params, self.change), "query": ""}
            async with AuditLog(self.url) as log:
                line = await Audit(log, node=socket.gethostname()).enter(event, source, **subject, **told(values))
        return line.seq, values


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
