"""`edge explain`: why does this call pass, or not? Parses, asks `explaining`, prints by `explain_view`."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from edge.accounts.options import Config, Redis, State
from edge.terminal import FAILED, USAGE, fail

if TYPE_CHECKING:
    from edge.config.snapshot import PolicySnapshot
    from edge.policies.explain_view import Told
    from edge.policies.explaining import Document
    from edge.policies.rebuilt import Record
    from edge.policy.attempt import CallAttempt


_Many = list[str] | None


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


def explain(
    from_: Annotated[str, typer.Option("--from", help="Number or URI in From.", metavar="CLI")] = "",
    to: Annotated[str, typer.Option(help="Number or URI called.", metavar="CALLED")] = "",
    source: Annotated[str, typer.Option(help="Address it comes from.", metavar="IP")] = "",
    trunk: Annotated[str, typer.Option(help="Or the ingress trunk it comes by.", metavar="NAME")] = "",
    pai: Annotated[
        _Many, typer.Option(help="Number or URI in P-Asserted-Identity; may be repeated.", metavar="CLI")
    ] = None,
    diversion: Annotated[
        _Many, typer.Option(help="Number or URI that forwarded it; repeatable.", metavar="CLI")
    ] = None,
    privacy: Annotated[str, typer.Option(help="Privacy: id, user, header …", metavar="VALUES")] = "",
    header: Annotated[_Many, typer.Option(help="Any other header field; repeatable.", metavar="NAME=VALUE")] = None,
    account_header: Annotated[
        str, typer.Option(help="Account named in the header of a trusted trunk.", metavar="ACCOUNT")
    ] = "",
    listener: Annotated[str, typer.Option(help="Listener it comes in by.", metavar="ADDRESS")] = "",
    at: Annotated[
        str, typer.Option(help="At this instant: 2026-08-11, or 2026-08-11T09:30Z; now.", metavar="WHEN")
    ] = "",
    call: Annotated[str, typer.Option(help="Instead of all these: a call that was, by its uid.", metavar="UID")] = "",
    cdrs: Annotated[
        _Many, typer.Option(help="Where its record is; left out: the state directory.", metavar="PATH")
    ] = None,
    policy: Annotated[
        str, typer.Option(help="The document to judge by; left out: the edge's own.", metavar="FILE")
    ] = "",
    generation: Annotated[
        int | None, typer.Option(help="Or this generation of the store; 0: what is in force.", metavar="N", min=0)
    ] = None,
    redis: Redis = None,
    state: State = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say what becomes of one attempt and why, stage by stage; or why a call that was passed or not. Takes nothing."""
    from edge.accounts.changes import Place, Refused
    from edge.config.errors import PolicyError, StaticConfigError
    from edge.policies import explain_view, explaining
    from edge.policies.records import NoRecords
    from edge.policy.explain import explain as trace

    place = Place(redis, state, config)
    wanted = Wanted(
        from_,
        to,
        source,
        listener,
        tuple(pai or ()),
        tuple(diversion or ()),
        privacy,
        tuple(header or ()),
        account_header,
        at,
    )
    _check_mode(call, trunk, wanted)
    try:
        record = explaining.record_of(call, cdrs or [], place) if call else None
        document = explaining.document_for(place, policy, generation, record)
        if record is not None:
            told = _of_call(record, document)
        else:
            if trunk:
                source, listener = explaining.address_of(document.snapshot, trunk)
                wanted = wanted._replace(source=source, listener=listener)
            attempt = _imagined(document.snapshot, wanted)
            told = explain_view.Told(attempt, trace(attempt, document.snapshot), document.name)
        told = told._replace(limits_now=explaining.limits_now(told.attempt, place))
    except (PolicyError, StaticConfigError) as error:
        fail(*map(str, error.problems), code=USAGE if isinstance(error, StaticConfigError) else FAILED)
    except (Refused, NoRecords) as error:
        fail(*str(error).splitlines())
    if as_json:
        typer.echo(json.dumps(explain_view.explained_data(told), ensure_ascii=False))
    else:
        for line in explain_view.explained_lines(told):
            typer.echo(line)


def _check_mode(call: str, trunk: str, wanted: "Wanted") -> None:
    if call:
        if trunk or any(wanted):
            fail("--call: expected it without --from, --to and the like: the call's record says them", code=USAGE)
    elif not wanted.cli or not wanted.called or bool(wanted.source) == bool(trunk):
        fail("expected --from, --to and either --source or --trunk; or --call UID", code=USAGE)


def _of_call(record: "Record", document: "Document") -> "Told":
    from edge.policies.explain_view import Told
    from edge.policies.rebuilt import Unreadable, attempt_of, lacks
    from edge.policy.explain import explain as trace

    try:
        attempt = attempt_of(record, document.snapshot)
    except Unreadable as why:
        fail(f"the record of this call does not tell the attempt: {why}")
    return Told(attempt, trace(attempt, document.snapshot), document.name, record, lacks(record))


def _imagined(snapshot: "PolicySnapshot", wanted: "Wanted") -> "CallAttempt":
    from edge.policy.explain import imagine
    from edge.sip.errors import LocalError, ParseError

    try:
        return imagine(
            source=wanted.source,
            listener=wanted.listener,
            cli=wanted.cli,
            called=wanted.called,
            asserted=wanted.pai,
            diverting=wanted.diversion,
            headers=_headers(snapshot, wanted),
            wall=_instant(wanted.at) if wanted.at else datetime.now(UTC).timestamp(),
        )
    except (LocalError, ParseError) as error:
        options = "--from, --to, --pai, --diversion, --privacy, --header, --account-header"
        fail(f"{options}: no such call can be made: {error}", code=USAGE)


def _headers(snapshot: "PolicySnapshot", wanted: "Wanted") -> list[tuple[str, str]]:
    headers = [("Privacy", wanted.privacy)] if wanted.privacy else []
    for text in wanted.header:
        name, equals, value = text.partition("=")
        if not equals or not name:
            fail(f"--header: expected NAME=VALUE, got {text!r}", code=USAGE)
        headers.append((name, value))
    if wanted.account_header:
        ingress = snapshot.ingress_of(wanted.source, wanted.listener)
        if ingress is None or ingress.account_header is None:
            problem = f"{wanted.source} belongs to no ingress trunk that names accounts in a header"
            fail(f"--account-header: {problem}", code=USAGE)
        headers.append((ingress.account_header.decode(), wanted.account_header))
    return headers


def _instant(text: str) -> float:
    """UTC where no zone is given."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        fail(f"--at: expected an instant as 2026-08-11 or 2026-08-11T09:30Z, got {text!r}", code=USAGE)
