"""`edge cdr verify | export | tail | purge`: the log on disk, read and kept by rule. Parses, calls, prints."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from edge.cdr.verify import Report

app = typer.Typer(rich_markup_mode=None)

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
            _usage(f"DIR: {place}: no such file or directory")
    try:
        report = look(places)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")
    _say(*([json.dumps(_report_data(report), ensure_ascii=False)] if as_json else _report_lines(report)))
    if not report.is_sound:
        raise typer.Exit(1)


def _report_data(report: "Report") -> dict[str, object]:
    findings = [finding._asdict() for finding in report.findings]
    return {**report._asdict(), "findings": findings, "is_sound": report.is_sound}


def _report_lines(report: "Report") -> list[str]:
    lines = [f"{finding.kind:<10}{finding.place}: {finding.text}" for finding in report.findings]
    nodes = ", ".join(report.nodes) or "no node"
    numbers = f", {report.first_seq} to {report.last_seq}" if report.last_seq else ""
    purged = f", {report.purged} more purged by rule" if report.purged else ""
    faults = sum(finding.kind != "note" for finding in report.findings)
    verdict = "whole" if report.is_sound else f"NOT WHOLE: {faults} findings" if faults != 1 else "NOT WHOLE: 1 finding"
    lines.append(f"{verdict}: {report.records} records{numbers} in {report.segments} segments of {nodes}{purged}")
    return lines


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(line)


def _fail(text: str, code: int = 1) -> NoReturn:
    typer.echo(f"edge: {text}", err=True)
    raise typer.Exit(code)


def _usage(text: str) -> NoReturn:
    _fail(text, 2)
