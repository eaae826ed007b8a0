"""From traffic to machines: what it takes, and what ends first. Pure arithmetic; no figure of its own but those given.

Two kinds of answers. A `Need` can be bought: cores, memory, shards, network, disks; more hosts carry more. A `Limit`
cannot: something that lies in one place however many hosts there are (one account's books on one shard, one list of
nodes that every node reads). The smallest of those is the first limit.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

CONNECTIONS = 16
"""Of an edge and its delivery process to one server of the store, as counted at the server."""
MAX_CLIENTS = 10_000
"""Connections that a Redis server takes by default."""
MAX_MASTERS = 1_000
"""Nodes that Redis recommends for a cluster at most; a replica for each makes 500 masters."""
TOMBSTONE_S = 64.0
"""How long the store remembers a settled call (`limits.model.TOMBSTONE_MS`)."""


class Traffic(NamedTuple):
    """What is to be carried. Shares lie between 0 and 1."""

    attempts_per_s: float
    """Call attempts a second in the busiest second."""
    duration_s: float = 120.0
    """Mean length of an answered call."""
    answered: float = 0.6
    """Share of the admitted attempts that is answered."""
    refused: float = 0.0
    """Share of the attempts that the limits refuse."""
    accounts: int = 1_000
    busiest_account: float = 0.01
    """Share of the attempts that comes by one account."""
    busiest_trunk: float = 0.0
    """Share of the attempts over one trunk with ceilings of its own; 0: no trunk has any."""
    prefixes: int = 0
    """Of the rate deck."""
    ranges: int = 0
    """Number ranges of the policy, as of accounts and lists."""
    sinks: int = 1
    """CDR sinks that write files on this host's disk."""
    renew_s: float = 10.0


class Hosts(NamedTuple):
    """What a host is."""

    workers: int = 2
    """Processes with SIP on a host, a core for each."""
    cores: int = 4
    memory_bytes: float = 16e9
    network_mbit: float = 1_000.0
    disk_mb_per_s: float = 100.0
    shard_memory_bytes: float = 16e9
    """Of one master of the store."""
    headroom: float = 0.6
    """Share of anything that is planned to be used."""


class Need(NamedTuple):
    """Something to be bought."""

    name: str
    amount: float
    unit: str
    hosts: int
    """Edge hosts, or masters of the store, that this alone asks for."""
    where: str
    """`edge` or `store`."""


class Limit(NamedTuple):
    """Something that more hosts do not carry."""

    name: str
    attempts_per_s: float
    """Attempts a second of this traffic at which it ends."""
    lever: str
    """What moves it."""


class Sizing(NamedTuple):
    """The whole answer."""

    concurrent: float
    rate_per_worker: float
    needs: tuple[Need, ...]
    edge_hosts: int
    """With one that may be missing."""
    shards: int
    limits: tuple[Limit, ...]
    """The first limit first."""

    @property
    def decides(self) -> Need:
        """What asks for the most edge hosts."""
        return max((need for need in self.needs if need.where == "edge"), key=lambda need: need.hosts)


def size(traffic: Traffic, hosts: Hosts, measured: Mapping[str, float]) -> Sizing:
    """What this traffic takes. ValueError says which value makes no sense. `measured`: `capacity.measured`."""
    _check(traffic, hosts)
    m = measured
    admitted = traffic.attempts_per_s * (1 - traffic.refused)
    refused = traffic.attempts_per_s * traffic.refused
    concurrent = admitted * traffic.answered * traffic.duration_s
    renewals = concurrent / traffic.renew_s
    workers = _workers(admitted, refused, renewals, hosts, m)
    needs = (
        workers,
        *_edge_needs(traffic, hosts, m, concurrent, workers),
        *_store_needs(traffic, hosts, m, concurrent, renewals),
    )
    edge_hosts = max(need.hosts for need in needs if need.where == "edge") + 1
    shards = max(need.hosts for need in needs if need.where == "store")
    per_worker = traffic.attempts_per_s / (workers.amount or 1)
    limits = _limits(traffic, hosts, m, per_worker, shards)
    return Sizing(concurrent, per_worker, needs, edge_hosts, shards, limits)


def _check(traffic: Traffic, hosts: Hosts) -> None:
    for name in ("attempts_per_s", "duration_s", "renew_s"):
        if not 0 < getattr(traffic, name) < 1e9:
            raise ValueError(
                f"{name} is {getattr(traffic, name):g}: expected more than 0 and less than a thousand million"
            )
    for name in ("answered", "refused", "busiest_account", "busiest_trunk"):
        if not 0 <= getattr(traffic, name) <= 1:
            raise ValueError(f"{name} is {getattr(traffic, name):g}: expected a share between 0 and 1")
    for name in ("accounts", "prefixes", "ranges", "sinks"):
        if getattr(traffic, name) < 0:
            raise ValueError(f"{name} is {getattr(traffic, name)}: expected 0 or more")
    if traffic.accounts and traffic.busiest_account * traffic.accounts < 1:
        least = 1 / traffic.accounts
        raise ValueError(
            f"busiest_account is {traffic.busiest_account:g}: one of {traffic.accounts} has {least:g} at least"
        )
    if hosts.workers < 1 or hosts.cores < hosts.workers:
        raise ValueError(f"workers is {hosts.workers} on {hosts.cores} cores: expected 1 or more, and a core for each")
    if not 0 < hosts.headroom <= 1:
        raise ValueError(f"headroom is {hosts.headroom:g}: expected a share above 0, at most 1")
    for name in ("memory_bytes", "network_mbit", "disk_mb_per_s", "shard_memory_bytes"):
        if getattr(hosts, name) <= 0:
            raise ValueError(f"{name} is {getattr(hosts, name):g}: expected more than 0")


def _workers(admitted: float, refused: float, renewals: float, hosts: Hosts, m: Mapping[str, float]) -> Need:
    spent = admitted * m["sip_us_per_attempt"] + refused * m["sip_us_per_refusal"] + renewals * m["sip_us_per_renewal"]
    workers = math.ceil(spent / 1e6 / hosts.headroom)
    return Need("workers, a core each", workers, "cores", _up(workers, hosts.workers), "edge")


def _edge_needs(
    traffic: Traffic, hosts: Hosts, m: Mapping[str, float], concurrent: float, workers: Need
) -> tuple[Need, ...]:
    delivery = traffic.attempts_per_s * m["delivery_us_per_record"] / 1e6 / hosts.headroom
    # The policy is in every process.
    policy = (
        traffic.accounts * m["bytes_per_account"]
        + traffic.prefixes * m["bytes_per_prefix"]
        + traffic.ranges * m["bytes_per_range"]
    )
    each_host = hosts.workers * (m["bytes_per_process"] + policy) + m["bytes_per_delivery"]
    calls = concurrent * m["bytes_per_held_call"]
    room = hosts.memory_bytes * hosts.headroom - each_host
    if room <= 0:
        raise ValueError(
            f"memory_bytes is {hosts.memory_bytes:g}: processes and policy of a host alone take {each_host:.3g} bytes, "
            f"and {hosts.headroom:.0%} of it are planned"
        )
    mbit = traffic.attempts_per_s * (m["sip_bytes_per_attempt"] + m["store_bytes_per_attempt"]) * 8 / 1e6
    disk = traffic.attempts_per_s * m["record_bytes"] * (1 + traffic.sinks) / 1e6
    planned = hosts.headroom
    return (
        Need("delivery of records", delivery, "cores", _up(delivery, max(1, hosts.cores - hosts.workers)), "edge"),
        Need("memory of the edges", each_host * workers.hosts + calls, "bytes", _up(calls, room), "edge"),
        Need("network of the edges", mbit, "Mbit/s", _up(mbit, hosts.network_mbit * planned), "edge"),
        Need("disk of the edges", disk, "MB/s", _up(disk, hosts.disk_mb_per_s * planned), "edge"),
    )


def _store_us_per_attempt(traffic: Traffic, m: Mapping[str, float]) -> float:
    """Verbs of an attempt and of the call that it becomes."""
    renewals = traffic.answered * traffic.duration_s / traffic.renew_s
    admitted = m["store_us_per_attempt"] + renewals * m["store_us_per_renewal"]
    return (1 - traffic.refused) * admitted + traffic.refused * m["store_us_per_refusal"]


def _store_needs(
    traffic: Traffic, hosts: Hosts, m: Mapping[str, float], concurrent: float, renewals: float
) -> tuple[Need, ...]:
    each = _store_us_per_attempt(traffic, m) + m["store_us_per_record"]
    cores = traffic.attempts_per_s * each / 1e6 / hosts.headroom
    memory = (
        concurrent * m["store_bytes_per_held_call"]
        + traffic.accounts * m["store_bytes_per_account"]
        + traffic.attempts_per_s * TOMBSTONE_S * m["store_bytes_per_tombstone"]
    )
    room = hosts.shard_memory_bytes * hosts.headroom
    return (
        Need("masters of the store", cores, "cores", _up(cores, 1), "store"),
        Need("memory of the store", memory, "bytes", _up(memory, room), "store"),
    )


def _limits(
    traffic: Traffic, hosts: Hosts, m: Mapping[str, float], per_worker: float, shards: int
) -> tuple[Limit, ...]:
    """What lies in one place, and how much of this traffic that place carries."""
    core_us = 1e6 * hosts.headroom
    one_place = core_us / _store_us_per_attempt(traffic, m)
    # n nodes beat once a second each, and each beat reads all of them: n * (beat + n * node) <= a core.
    beat, node = m["store_us_per_beat"], m["store_us_per_beat_and_node"]
    nodes = (math.sqrt(beat * beat + 4 * node * core_us) - beat) / (2 * node) if node else core_us / (beat or 1)
    found = [
        Limit(
            "the list of nodes that every node reads each second",
            nodes * per_worker,
            "larger workers, or a beat less often",
        ),
        Limit(
            "connections of the workers to one master of the store",
            MAX_CLIENTS / CONNECTIONS * per_worker,
            "maxclients of the store",
        ),
        Limit(
            "masters of one Redis Cluster",
            MAX_MASTERS / 2 * traffic.attempts_per_s / shards,
            "several clusters, each with accounts of its own",
        ),
    ]
    if traffic.accounts:
        found.append(
            Limit(
                "the busiest account, whose books lie on one shard",
                one_place / traffic.busiest_account,
                "several accounts for that customer, longer renewals",
            )
        )
    if traffic.busiest_trunk:
        found.append(
            Limit(
                "the busiest trunk with ceilings, whose books lie on one shard",
                one_place / traffic.busiest_trunk,
                "several trunks, or none with ceilings",
            )
        )
    return tuple(sorted(found, key=lambda limit: limit.attempts_per_s))


def _up(amount: float, each: float) -> int:
    """So many of these; at least one."""
    return max(1, math.ceil(amount / each - 1e-9))
