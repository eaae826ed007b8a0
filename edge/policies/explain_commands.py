"""`edge explain`: why does this call pass, or not? Parses, asks `explaining`, prints by `explain_view`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from edge.accounts.options import Config, Redis, State
from edge.terminal import FAILED, USAGE, fail

if TYPE_CHECKING:
    from edge.policies.imagining import Wanted

_T = TypeVar("_T")
_Many = list[str] | None


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
    tls_name: Annotated[
        _Many, typer.Option(help="Name that the caller's certificate has proved; repeatable.", metavar="NAME")
    ] = None,
    username: Annotated[str, typer.Option(help="User name that the caller has proved (digest).", metavar="USER")] = "",
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
    from edge.policies.imagining import Wanted, imagined, told_of
    from edge.policies.records import NoRecords
    from edge.policy.explain import explain as trace

    place = Place(redis, state, config)
    wanted = Wanted(
        from_, to, source, listener, tuple(pai or ()), tuple(diversion or ()), privacy, tuple(header or ()),
        account_header, at, tuple(tls_name or ()), username,
    )  # fmt: skip
    _check_mode(call, trunk, wanted)
    try:
        record = explaining.record_of(call, cdrs or [], place) if call else None
        document = explaining.document_for(place, policy, generation, record)
        if record is not None:
            told = _or_fail(lambda: told_of(record, document.snapshot, document.name), FAILED)
        else:
            if trunk:
                source, listener, names = explaining.address_of(document.snapshot, trunk)
                wanted = wanted._replace(source=source, listener=listener, tls_names=wanted.tls_names or names)
            now = datetime.now(UTC).timestamp()
            attempt = _or_fail(lambda: imagined(document.snapshot, wanted, now=now), USAGE)
            told = explain_view.Told(attempt, trace(attempt, document.snapshot), document.name)
        told = explaining.with_limits(told, document.snapshot, place)
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


def _or_fail(make: "Callable[[], _T]", code: int) -> "_T":
    try:
        return make()
    except ValueError as error:
        fail(str(error), code=code)
