"""A sizing in words and tables, for people. Pure."""

from edge.capacity.measured import MEASURED
from edge.capacity.model import Hosts, Need, Sizing, Traffic
from edge.terminal import aligned

_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def amount(need: Need) -> str:
    """With its unit; bytes in round ones."""
    if need.unit == "bytes":
        for factor, unit in _UNITS:
            if need.amount >= factor:
                return f"{need.amount / factor:.1f} {unit}"
    return f"{need.amount:,.0f} {need.unit}" if need.amount >= 10 else f"{need.amount:.1f} {need.unit}"


def lines(traffic: Traffic, hosts: Hosts, sizing: Sizing) -> list[str]:
    """The whole answer."""
    table = [("What", "Takes", "Asks for")]
    for need in sizing.needs:
        what = "edge hosts" if need.where == "edge" else "masters of the store"
        table.append((need.name, amount(need), f"{need.hosts:,} {what}"))
    limits = [("Ends at", "What lies in one place", "Lever")]
    limits += [(f"{limit.attempts_per_s:,.0f}/s", limit.name, limit.lever) for limit in sizing.limits]
    first = sizing.limits[0]
    is_reached = first.attempts_per_s < traffic.attempts_per_s
    told = f"is the first limit, and this traffic is {'past' if is_reached else 'below'} it"
    return [
        f"{traffic.attempts_per_s:,.0f} attempts/s, {sizing.concurrent:,.0f} concurrent calls; "
        f"{hosts.headroom:.0%} of everything is planned",
        "",
        *aligned(table, right=(1,)),
        "",
        f"{sizing.edge_hosts:,} edge hosts, one of which may be missing: {sizing.decides.name} decides",
        f"{sizing.shards:,} masters of the store, and a replica for each",
        f"a worker carries {sizing.rate_per_worker:,.0f} attempts/s of this traffic",
        "",
        *aligned(limits, right=(0,)),
        "",
        f"{first.name}: {told}",
    ]


def constants_table() -> list[str]:
    """The measured figures as rows of Markdown."""
    rows = [f"| `{one.name}` | {one.value:,.10g} | {one.unit} | {one.conditions} |" for one in MEASURED]
    return ["| Figure | Value | Unit | Measured with |", "|---|---|---|---|", *rows]
