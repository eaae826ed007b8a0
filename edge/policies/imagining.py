"""An attempt that somebody imagines, from its words, for `edge explain` and the admin API. Pure but for the clock's
present instant, which is passed in. Raises ValueError: a sentence that begins with the word that is wrong."""

from datetime import UTC, datetime
from typing import NamedTuple

from edge.config.snapshot import PolicySnapshot
from edge.policies.explain_view import Told
from edge.policies.rebuilt import Record, Unreadable, attempt_of, lacks
from edge.policy.attempt import CallAttempt
from edge.policy.explain import explain, imagine
from edge.sip.errors import LocalError, ParseError


class Wanted(NamedTuple):
    """An attempt as the options tell it."""

    cli: str
    called: str
    source: str
    listener: str
    pai: tuple[str, ...]
    diversion: tuple[str, ...]
    privacy: str
    header: tuple[str, ...]
    account_header: str
    at: str
    tls_names: tuple[str, ...] = ()
    username: str = ""
    """What the caller has proved."""


def imagined(snapshot: PolicySnapshot, wanted: Wanted, *, now: float) -> CallAttempt:
    """`now`: UTC seconds. Raises ValueError."""
    try:
        return imagine(
            source=wanted.source,
            listener=wanted.listener,
            cli=wanted.cli,
            called=wanted.called,
            asserted=wanted.pai,
            diverting=wanted.diversion,
            headers=_headers(snapshot, wanted),
            tls_names=wanted.tls_names,
            username=wanted.username,
            wall=_instant(wanted.at) if wanted.at else now,
        )
    except (LocalError, ParseError) as error:
        options = "--from, --to, --pai, --diversion, --privacy, --header, --account-header"
        raise ValueError(f"{options}: no such call can be made: {error}") from error


def told_of(record: Record, snapshot: PolicySnapshot, under: str) -> Told:
    """A call that was, judged again. Raises ValueError where its record does not tell the attempt."""
    try:
        attempt = attempt_of(record, snapshot)
    except Unreadable as why:
        raise ValueError(f"the record of this call does not tell the attempt: {why}") from why
    return Told(attempt, explain(attempt, snapshot), under, record, lacks(record))


def _headers(snapshot: PolicySnapshot, wanted: Wanted) -> list[tuple[str, str]]:
    headers = [("Privacy", wanted.privacy)] if wanted.privacy else []
    for text in wanted.header:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ValueError(f"--header: expected NAME=VALUE, got {text!r}")
        headers.append((name, value))
    if wanted.account_header:
        ingress = snapshot.ingress_of(wanted.source, wanted.listener, wanted.tls_names)
        if ingress is None or ingress.account_header is None:
            problem = f"{wanted.source} belongs to no ingress trunk that names accounts in a header"
            raise ValueError(f"--account-header: {problem}")
        headers.append((ingress.account_header.decode(), wanted.account_header))
    return headers


def _instant(text: str) -> float:
    """UTC where no zone is given."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"--at: expected an instant as 2026-08-11 or 2026-08-11T09:30Z, got {text!r}") from None
