"""`edge cdr verify | export | tail | purge`: the log on disk, read and kept by rule. Parses, calls, prints."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.terminal import fail, say, usage

if TYPE_CHECKING:
    from edge.cdr.picking import Picked
    from edge.cdr.retention import Done, Rule
    from edge.cdr.verify import Report
    from edge.config.static import StaticConfig

app = typer.Typer(rich_markup_mode=None)

State = Annotated[str | None, typer.Option(help="State directory of the edge. Also EDGE_STATE.", metavar="DIR")]
Config = Annotated[str | None, typer.Option(help="The TOML file of `edge run`.", metavar="FILE", envvar="EDGE_CONFIG")]
Since = Annotated[
    str | None, typer.Option(help="Ended then or later: 2h, 3d, 2026-07-01 or 2026-07-01T08:00Z.", metavar="WHEN")
]
Until = Annotated[str | None, typer.Option(help="Ended before then.", metavar="WHEN")]
Accounts = Annotated[list[str] | None, typer.Option("--account", help="May be repeated.", metavar="ACCOUNT")]
Outcomes = Annotated[
    list[str] | None, typer.Option("--outcome", help="answered, refused ...; may be repeated.", metavar="WORD")
]
Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Token of a refusal or an end; may be repeated.", metavar="TOKEN")
]
Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command()
def verify(
    places: Annotated[
        list[Path],
        typer.Argument(help="Directories with segments (STATE/cdr, archives), segments, exports.", metavar="DIR..."),
    ],
    as_json: Json = False,
) -> None:
    """Find gaps, duplicates and damage, each with its place. Exit 0: whole, 1: not. Safe beside a running edge."""
    from edge.cdr.verify import verify as look

    for place in places:
        if not place.exists():
            usage(f"DIR: {place}: no such file or directory")
    try:
        report = look(places)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    say(*([json.dumps(_report_data(report), ensure_ascii=False)] if as_json else _report_lines(report)))
    if not report.is_sound:
        raise typer.Exit(1)


@app.command()
def export(
    places: Annotated[
        list[Path] | None,
        typer.Argument(help="Directories with segments, or segments; default: the log of --state.", metavar="[DIR]..."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or parquet.", metavar="FORM")] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.", metavar="FILE")
    ] = None,
    since: Since = None,
    until: Until = None,
    account: Accounts = None,
    outcome: Outcomes = None,
    reason: Reasons = None,
    state: State = None,
    config: Config = None,
) -> None:
    """Records of the log as CSV (columns in the order of docs/cdr.md), JSON lines or Parquet."""
    from edge.cdr import export as exporting
    from edge.progress import watched

    if form not in exporting.FORMATS:
        usage(f"--format {form}: expected csv, jsonl or parquet")
    picked = picked_of(since, until, account, outcome, reason)
    found = places or [_log_of(state, config)]
    for place in found:
        if not place.exists():
            usage(f"DIR: {place}: no such file or directory")
    if form == "parquet" and output is None:
        usage("--format parquet: expected --output FILE")
    try:
        exporting.check(form)
        if output is None:
            exporting.write(exporting.entries(found, picked), form, sys.stdout.buffer)
            return
        beside = output.with_name(output.name + ".part")
        try:
            with beside.open("wb") as file:
                count = exporting.write(watched(exporting.entries(found, picked), "records"), form, file)
            beside.replace(output)
        finally:
            beside.unlink(missing_ok=True)  # half a file is none
    except BrokenPipeError:
        sys.stderr.close()  # whoever read it has seen enough
        raise typer.Exit(1) from None
    except OSError as error:
        fail(f"{error.filename or output}: {error.strerror}")
    except exporting.ExportError as error:
        fail(str(error))
    say(f"{output}: {count} records")


@app.command()
def tail(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with those that come.")] = False,
    lines: Annotated[int, typer.Option("-n", help="So many of the newest first.", metavar="N", min=0, max=10_000)] = 20,
    account: Accounts = None,
    outcome: Outcomes = None,
    reason: Reasons = None,
    as_json: Json = False,
    state: State = None,
    config: Config = None,
) -> None:
    """The newest records: a table in a terminal, else a JSON line each."""
    from edge.cdr import tailing

    picked = picked_of(None, None, account, outcome, reason)
    directory = _log_of(state, config)
    as_table = sys.stdout.isatty() and not as_json
    try:
        after = tailing.last_seq(directory)
        found = [entry for entry in tailing.last(directory, picked, lines) if entry.seq <= after]
        if as_table:
            say(tailing.head())
        for entry in found:
            say(tailing.row(entry.record) if as_table else entry.line.decode().rstrip())
        if follow:
            for entry in tailing.following(directory, picked, after):
                say(tailing.row(entry.record) if as_table else entry.line.decode().rstrip())
    except KeyboardInterrupt:
        raise typer.Exit from None
    except OSError as error:
        fail(f"{error.filename or directory}: {error.strerror}")


@app.command()
def purge(
    state: State = None,
    config: Config = None,
    keep_days: Annotated[
        int | None, typer.Option(help="Days kept; 0: for ever. Default: cdr_keep_days.", metavar="DAYS", min=0)
    ] = None,
    pseudonymise_days: Annotated[
        int | None,
        typer.Option(
            help="Days called numbers stay; 0: for ever. Default: cdr_pseudonymise_days.", metavar="DAYS", min=0
        ),
    ] = None,
    even_undelivered: Annotated[
        bool, typer.Option("--even-undelivered", help="Also what a sink has not had yet.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Purge old segments and make called numbers pseudonyms, as the edge does every hour. Safe beside it."""
    from edge.cdr import keeping
    from edge.cdr.retention import Rule
    from edge.state import StateError

    static = static_of(state, config)
    rule = Rule(
        static.cdr_keep_days if keep_days is None else keep_days,
        static.cdr_pseudonymise_days if pseudonymise_days is None else pseudonymise_days,
    )
    directory = Path(static.state)
    _log_in(directory)
    try:
        sinks = [sink.name for sink in static.cdr.sinks]
        done = keeping.apply(directory, rule, sinks=sinks, all_sinks=not even_undelivered, dry_run=dry_run)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    except StateError as error:
        fail(str(error))
    say(*([json.dumps(done_data(done))] if as_json else done_lines(done, rule, dry_run=dry_run)))


def picked_of(
    since: str | None,
    until: str | None,
    accounts: list[str] | None,
    outcomes: list[str] | None,
    reasons: list[str] | None,
) -> "Picked":
    """Which records these options mean, or a usage error."""
    from datetime import UTC, datetime

    from edge.cdr.picking import Picked, instant_of
    from edge.cdr.record import CallOutcome

    now = datetime.now(UTC)
    try:
        begin = None if since is None else instant_of("--since", since, now)
        end = None if until is None else instant_of("--until", until, now)
    except ValueError as error:
        usage(str(error))
    for word in outcomes or ():
        if word not in set(CallOutcome):
            usage(f"--outcome {word}: expected {', '.join(CallOutcome)}")
    return Picked(begin, end, frozenset(accounts or ()), frozenset(outcomes or ()), frozenset(reasons or ()))


def _log_of(state: str | None, config: str | None) -> Path:
    return _log_in(Path(static_of(state, config).state))


def _log_in(directory: Path) -> Path:
    log = directory / "cdr"
    if not log.is_dir():
        fail(f"{log}: no such directory; expected the state directory of an edge (--state)")
    return log


def done_data(done: "Done") -> dict[str, object]:
    """For machines."""
    links = {"purged": done.purged, "rewritten": done.rewritten}
    return {**done._asdict(), **{name: [link._asdict() for link in found] for name, found in links.items()}}


def done_lines(done: "Done", rule: "Rule", *, dry_run: bool) -> list[str]:
    """For people."""
    would = "would be " if dry_run else ""
    lines = [
        f"{would}purged      {link.segment}: {link.records} records, {link.first_seq} to {link.last_seq}"
        for link in done.purged
    ]
    lines += [f"{would}rewritten   {link.segment}: {link.rule}" for link in done.rewritten]
    lines += [f"{would}changed     delivery/{name}: records or called numbers that are too old" for name in done.aside]
    lines += [f"held        {name}: a sink has not had it yet (--even-undelivered)" for name in done.held]
    lines += [f"left alone  {name}: is not what it was when it was closed (edge cdr verify)" for name in done.changed]
    if not lines:
        kept = f"everything is younger than {rule.keep_days} days" if rule.keep_days else "records are kept for ever"
        lines.append(f"nothing to do: {kept}")
    return lines


def static_of(state: str | None, config: str | None) -> "StaticConfig":
    """The settings of the edge whose log is meant; its policy is not needed."""
    from edge.config.errors import StaticConfigError
    from edge.settings import read_settings

    try:
        return read_settings({"state": state, "policy": "-"}, config)
    except StaticConfigError as error:
        usage("\nedge: ".join(str(problem) for problem in error.problems))


def _report_data(report: "Report") -> dict[str, object]:
    findings = [finding._asdict() for finding in report.findings]
    return {**report._asdict(), "findings": findings, "is_sound": report.is_sound}


def _report_lines(report: "Report") -> list[str]:
    lines = [f"{finding.kind:<10}{finding.place}: {finding.text}" for finding in report.findings]
    nodes = ", ".join(report.nodes) or "no node"
    numbers = f", {report.first_seq} to {report.last_seq}" if report.last_seq else ""
    purged = f", {report.purged} more purged by rule" if report.purged else ""
    void = f", {report.void} of them void" if report.void else ""
    faults = sum(finding.kind != "note" for finding in report.findings)
    verdict = "whole" if report.is_sound else f"NOT WHOLE: {faults} findings" if faults != 1 else "NOT WHOLE: 1 finding"
    lines.append(f"{verdict}: {report.records} records{numbers}{void} in {report.segments} segments of {nodes}{purged}")
    return lines
