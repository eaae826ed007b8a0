"""What things cost, as measured: one table, each figure with its unit and the conditions. Pure.

docs/capacity.md has the same table. A file may replace any figure (`overridden`): one's own machine is what counts.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Constant(NamedTuple):
    """One measured figure."""

    name: str
    value: float
    unit: str
    conditions: str


_MACHINE = "2 virtual cores (EPYC, KVM) shared with SIPp and Redis, CPython 3.11, compiled"
_LOADED = "the same machine with test runs beside"

MEASURED: tuple[Constant, ...] = (
    Constant("sip_us_per_attempt", 705.0, "µs of a core", f"scripts/bench, 500/s, 5,000 calls; {_MACHINE}"),
    Constant(
        "sip_us_per_refusal", 298.0, "µs of a core", "scripts/bench --compare, 1,000/s, with its record, compiled"
    ),
    Constant(
        "sip_us_per_renewal",
        41.0,
        "µs of a core",
        "scripts/bench-held, 10,000 calls, ten an account: all that the edge takes meanwhile, compiled",
    ),
    Constant("delivery_us_per_record", 91.0, "µs of a core", "scripts/bench-beside, with quality counted"),
    Constant(
        "store_us_per_attempt",
        113.0,
        "µs of a core",
        "three verbs in pipelines of 8, priced, with a record; redis-server 7.0",
    ),
    Constant("store_us_per_refusal", 31.0, "µs of a core", "scripts/bench-limits: denied by the store"),
    Constant(
        "store_us_per_record", 160.0, "µs of a core", "scripts/bench, 1,000/s: quality counted for 1,000 accounts"
    ),
    Constant("store_us_per_renewal", 11.0, "µs of a core", "scripts/bench-limits: each further call of one renew"),
    Constant("store_us_per_beat", 125.0, "µs of a core", f"a heartbeat, without the nodes it reads; {_LOADED}"),
    Constant("store_us_per_beat_and_node", 1.6, "µs of a core", f"10, 100 and 1,000 nodes; {_LOADED}"),
    Constant("bytes_per_process", 125e6, "bytes", "scripts/soak: an edge at rest after 79,000 calls of 1,300 accounts"),
    Constant("bytes_per_delivery", 64e6, "bytes", "the process of the records, at rest after as many"),
    Constant("bytes_per_held_call", 5_714.0, "bytes", "scripts/bench-held, 10,000 calls, transactions gone, compiled"),
    Constant("bytes_per_account", 1_000.0, "bytes", "not measured here: index of the policy in each process"),
    Constant("bytes_per_prefix", 170.0, "bytes", "scripts/bench-deck: 100,000 prefixes in 17 MB"),
    Constant("bytes_per_range", 113.0, "bytes", "scripts/bench-policy: a million ranges, at the peak of loading"),
    Constant("store_bytes_per_held_call", 2_371.0, "bytes", "scripts/bench-held: lease and record; redis-server 7.0"),
    Constant("store_bytes_per_account", 6_340.0, "bytes", "5,000 accounts with their first audit entry"),
    Constant("store_bytes_per_tombstone", 197.0, "bytes", "of a settled call, kept 64 s"),
    Constant("record_bytes", 1_900.0, "bytes", "scripts/bench-cdr: an answered call, JSON"),
    Constant(
        "sip_bytes_per_attempt",
        6_300.0,
        "bytes",
        "scripts/bench's call: 2,757 on the caller's side, as much and a route on the other, UDP",
    ),
    Constant(
        "store_bytes_per_attempt", 4_200.0, "bytes", "at the store: verbs, replies and records of scripts/bench's call"
    ),
)
"""In the order of docs/capacity.md. Processor time is of one core of that machine, at the rate named: at higher rates a
call costs less, on a busy one more."""

_OF_BENCH = {
    "edge_cpu_us_per_call": "sip_us_per_attempt",
    "redis_cpu_us_per_call": "store_us_per_attempt",
}
"""What `scripts/bench --json` says: here the delivery process, and the counting of quality, are in it already."""
_IN_IT_ALREADY = {"edge_cpu_us_per_call": "delivery_us_per_record", "redis_cpu_us_per_call": "store_us_per_record"}
_HELD = {"edge": "bytes_per_held_call", "store": "store_bytes_per_held_call"}
_OTHER_FIGURES = frozenset(
    (
        "calls", "calls_ok", "calls_failed", "retransmissions", "cps", "latency_ms", "edge_cpu_us_per_call_less_idle",
        "held", "failed", "percent_of_a_core", "edge_and_delivery_percent", "scripts_per_s",
    )
)  # fmt: skip
"""Of the benches; no constant follows from them."""


def constants() -> dict[str, float]:
    """Name -> value, as measured by us."""
    return {constant.name: constant.value for constant in MEASURED}


def overridden(given: Mapping[str, object]) -> dict[str, float]:
    """Our figures, with those of a file: names of the table, or what `scripts/bench --json` and `scripts/bench-held
    --json` print. ValueError names what is unknown or no number."""
    found = constants()
    for name, value in given.items():
        if name in _OTHER_FIGURES:
            continue
        if name == "bytes_per_held_call" and isinstance(value, Mapping):
            for process, size in value.items():
                if process in _HELD:
                    found[_HELD[process]] = _number(f"{name}.{process}", size)
        elif name in _OF_BENCH:
            found[_OF_BENCH[name]] = _number(name, value)
            found[_IN_IT_ALREADY[name]] = 0.0
        elif name in found:
            if value is not None:  # a bench that held no calls
                found[name] = _number(name, value)
        else:
            raise ValueError(f"{name}: no such figure; known are {', '.join(constants())}")
    return found


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError(f"{name}: expected a number of 0 or more, found {value!r}")
    return float(value)
