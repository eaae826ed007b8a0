"""`edge capacity`: from traffic to machines, on paper. Asks nobody, changes nothing."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from edge.capacity.measured import constants, overridden
from edge.capacity.model import Hosts, Traffic, size
from edge.capacity.view import lines
from edge.terminal import or_usage, say, to_json, usage

GB = 1e9


def capacity(
    attempts_per_s: Annotated[float, typer.Argument(help="Call attempts a second, of the busiest second.")],
    duration_s: Annotated[float, typer.Option(help="Mean length of an answered call.")] = 120.0,
    answered: Annotated[float, typer.Option(help="Share of the admitted attempts that is answered.")] = 0.6,
    refused: Annotated[float, typer.Option(help="Share of the attempts that the limits refuse.")] = 0.0,
    accounts: Annotated[int, typer.Option(help="Accounts.")] = 1_000,
    busiest_account: Annotated[float, typer.Option(help="Share of the attempts of one account.")] = 0.01,
    busiest_trunk: Annotated[float, typer.Option(help="The same of one trunk with ceilings; 0: none has any.")] = 0.0,
    prefixes: Annotated[int, typer.Option(help="Prefixes of the rate deck.")] = 0,
    ranges: Annotated[int, typer.Option(help="Number ranges of the policy.")] = 0,
    sinks: Annotated[int, typer.Option(help="CDR sinks that write files.")] = 1,
    renew_s: Annotated[float, typer.Option(help="As of `edge run`.")] = 10.0,
    workers: Annotated[int, typer.Option(help="SIP processes on a host.")] = 2,
    cores: Annotated[int, typer.Option(help="Cores of a host.")] = 4,
    memory_gb: Annotated[float, typer.Option(help="Memory of a host.")] = 16.0,
    network_mbit: Annotated[float, typer.Option(help="Network of a host.")] = 1_000.0,
    disk_mb: Annotated[float, typer.Option(help="MB a second that its disk writes.")] = 100.0,
    shard_gb: Annotated[float, typer.Option(help="Memory of a master of the store.")] = 16.0,
    headroom: Annotated[float, typer.Option(help="Share of everything that is planned to be used.")] = 0.6,
    measured: Annotated[
        Path | None, typer.Option(help="JSON with figures of your own, as the benches print.", metavar="FILE")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """How many edges, how much store, memory, network and disk this traffic takes, and what ends first."""
    traffic = Traffic(
        attempts_per_s,
        duration_s,
        answered,
        refused,
        accounts,
        busiest_account,
        busiest_trunk,
        prefixes,
        ranges,
        sinks,
        renew_s,
    )
    hosts = Hosts(workers, cores, memory_gb * GB, network_mbit, disk_mb, shard_gb * GB, headroom)
    figures = constants() if measured is None else or_usage(lambda: overridden(_read(measured)))
    sizing = or_usage(lambda: size(traffic, hosts, figures))
    if as_json:
        needs = [need._asdict() for need in sizing.needs]
        limits = [limit._asdict() for limit in sizing.limits]
        say(to_json(sizing._asdict() | {"needs": needs, "limits": limits, "decides": sizing.decides.name}))
    else:
        say(*lines(traffic, hosts, sizing))


def _read(path: Path) -> Mapping[str, object]:
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        usage(f"--measured {path}: cannot be read: {error.strerror}")
    except ValueError as error:
        usage(f"--measured {path}: no JSON: {error}")
    if not isinstance(found, dict):
        usage(f"--measured {path}: expected one object of names and numbers")
    return found
