"""What traffic takes, by examples that were computed by hand; what lies in one place, and ends first."""

import re

import pytest

from edge.capacity.measured import constants
from edge.capacity.model import Hosts, Traffic, size

ROUND = {
    "sip_us_per_attempt": 1_000.0,
    "sip_us_per_refusal": 100.0,
    "sip_us_per_renewal": 10.0,
    "delivery_us_per_record": 200.0,
    "store_us_per_attempt": 100.0,
    "store_us_per_refusal": 20.0,
    "store_us_per_record": 50.0,
    "store_us_per_renewal": 10.0,
    "store_us_per_beat": 100.0,
    "store_us_per_beat_and_node": 1.0,
    "bytes_per_process": 100e6,
    "bytes_per_delivery": 100e6,
    "bytes_per_held_call": 10_000.0,
    "bytes_per_account": 1_000.0,
    "bytes_per_prefix": 100.0,
    "bytes_per_range": 100.0,
    "store_bytes_per_held_call": 2_000.0,
    "store_bytes_per_account": 5_000.0,
    "store_bytes_per_tombstone": 200.0,
    "record_bytes": 2_000.0,
    "sip_bytes_per_attempt": 10_000.0,
    "store_bytes_per_attempt": 2_500.0,
}
HALF = Hosts(
    workers=2, cores=4, memory_bytes=10e9, network_mbit=1_000, disk_mb_per_s=100, shard_memory_bytes=8e9, headroom=0.5
)


def needs(traffic: Traffic, hosts: Hosts = HALF) -> dict[str, tuple[float, int]]:
    return {need.name: (round(need.amount, 6), need.hosts) for need in size(traffic, hosts, ROUND).needs}


def test_a_thousand_attempts_a_second():
    """Half answered for 100 s: 50,000 calls, 5,000 renewals a second. SIP 1.0 + 0.05 s of processor a second, half of
    a core planned: 2.1, so 3 workers, 2 hosts. Delivery 0.2 -> 0.4 of a core. Memory 50,000 x 10 kB and 2 hosts of two
    workers with 1,000 accounts, 10,000 prefixes and 20,000 ranges (each worker 104 MB) and a delivery process."""
    traffic = Traffic(1_000, 100, 0.5, accounts=1_000, prefixes=10_000, ranges=20_000)

    sizing = size(traffic, HALF, ROUND)

    assert (sizing.concurrent, sizing.edge_hosts, sizing.shards) == (50_000, 3, 1)
    assert needs(traffic) == {
        "workers, a core each": (3, 2),
        "delivery of records": (0.4, 1),
        "memory of the edges": (2 * (2 * 104e6 + 100e6) + 500e6, 1),
        "network of the edges": (100, 1),
        "disk of the edges": (4, 1),
        # 1,000 x (100 + 5 renewals x 10 + 50) µs = 0.2 s of processor; half of a core planned
        "masters of the store": (0.4, 1),
        "memory of the store": (50_000 * 2_000 + 1_000 * 5_000 + 1_000 * 64 * 200, 1),
    }


def test_the_first_limit_is_what_ends_at_the_fewest_attempts():
    """The account's share of 10 %: one shard gives half a second of processor, 150 µs an attempt: 3,333 a second, of
    33,333 in all. Nodes: n(100 + n) µs = half a second at n = 658.87; a worker carries 1,000/3."""
    limits = size(Traffic(1_000, 100, 0.5, busiest_account=0.1, busiest_trunk=0.05), HALF, ROUND).limits

    assert [(limit.name.partition(",")[0], round(limit.attempts_per_s)) for limit in limits] == [
        ("the busiest account", 33_333),
        ("the busiest trunk with ceilings", 66_667),
        ("connections of the workers to one master of the store", 208_333),
        ("the list of nodes that every node reads each second", 219_624),
        ("masters of one Redis Cluster", 500_000),
    ]


def test_refused_attempts_cost_what_a_refusal_costs():
    """All refused: no call, no renewal; 0.1 s of SIP and 0.02 + 0.05 s of the store for a thousand."""
    traffic = Traffic(1_000, refused=1.0)

    assert size(traffic, HALF, ROUND).concurrent == 0
    assert needs(traffic)["workers, a core each"] == (1, 1)
    assert needs(traffic)["masters of the store"] == (0.14, 1)


def test_what_asks_for_the_most_hosts_decides():
    """Long calls: memory. 1,000,000 calls of 10 kB, 4.7 GB free on each host."""
    sizing = size(Traffic(1_000, 1_000, 1.0, renew_s=1_000), HALF, ROUND)

    assert (sizing.decides.name, sizing.edge_hosts) == ("memory of the edges", 4)


@pytest.mark.parametrize(
    ("traffic", "hosts", "told"),
    [
        (Traffic(0), HALF, "attempts_per_s is 0: expected more than 0"),
        (Traffic(10, answered=1.5), HALF, "answered is 1.5: expected a share between 0 and 1"),
        (Traffic(10, prefixes=-1), HALF, "prefixes is -1: expected 0 or more"),
        (Traffic(10, accounts=10, busiest_account=0.01), HALF, "one of 10 has 0.1 at least"),
        (Traffic(10), HALF._replace(workers=5), "workers is 5 on 4 cores"),
        (Traffic(10), HALF._replace(headroom=0), "headroom is 0: expected a share above 0"),
        (Traffic(10), HALF._replace(network_mbit=0), "network_mbit is 0: expected more than 0"),
        (Traffic(10, ranges=100_000_000), HALF, "processes and policy of a host alone take 2.03e+10 bytes"),
    ],
)
def test_what_makes_no_sense_is_said(traffic, hosts, told):
    """Which value, and what was expected."""
    with pytest.raises(ValueError, match=re.escape(told)):
        size(traffic, hosts, ROUND)


def test_ten_million_calls_name_their_first_limit():
    """100,000 attempts a second of 100,000 accounts, with our own figures: on paper it goes, until one account has too
    much of it."""
    sizing = size(Traffic(100_000, 100, 1.0, accounts=100_000, busiest_account=0.05), Hosts(), constants())

    assert sizing.concurrent == 10_000_000
    assert sizing.limits[0].name.startswith("the busiest account")
    assert sizing.limits[0].attempts_per_s < 100_000
    assert {name for name in ROUND} == set(constants())
