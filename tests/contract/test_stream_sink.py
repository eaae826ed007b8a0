"""The Redis sink of CDRs behind Sentinel and on a Cluster: every record is in its stream, once and in order, whatever
happens to the servers."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from servers import Servers, binary_of, client_of, wait_until

sys.path.insert(0, str(Path(__file__).parents[1] / "delivery"))

from peers import Delivery, until, write_log
from test_cluster import Cluster
from test_sentinel import Pair

from edge.cdr.delivery.stream import RedisStream
from limits.slots import slot_of

KEY = "trunkgate:cdr:n1"


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers(tmp_path_factory.mktemp("sink")) as found:
        yield found


def numbers(client: "redis.Redis", key: str = KEY) -> list[int]:
    """Of the entries, in their order."""
    return [int(fields["seq"]) for _, fields in client.xrange(key)]


def sink(url: str, key: str = KEY, node: str = "n1") -> RedisStream:
    return RedisStream("queue", url, key=key, node=node)


async def test_a_failover_to_a_copy_that_lagged_behind_loses_nothing(servers: Servers, tmp_path: Path):
    """The new master has not heard of the last records, though they counted as delivered: it gets them again."""
    pair = Pair(servers)
    replica = redis.Redis(port=pair.replica, decode_responses=True)
    write_log(tmp_path, range(1, 101))
    async with Delivery(tmp_path, sink(pair.url), records=20, timeout_s=2.0) as delivery:
        await delivery.has_come_to(100)
        wait_until(lambda: numbers(replica) == list(range(1, 101)), "the replica has them")
        replica.execute_command("REPLICAOF", "127.0.0.1", "1")  # it hears no more
        write_log(tmp_path, range(101, 201))
        await delivery.has_come_to(200)
        assert numbers(replica)[-1] == 100
        pair.kill_master()
        write_log(tmp_path, range(201, 301))
        await delivery.has_come_to(300)
        await until(lambda: delivery.runner.position.seq == 300, "the end")
    assert numbers(replica) == list(range(1, 301))
    assert [fact["from"] for fact in delivery.told("delivery.rewound")] == [101]
    assert delivery.quarantined() == []


async def test_sentinels_that_name_no_master_are_waited_for(servers: Servers, tmp_path: Path):
    """It fails, says so, and goes on when there is one."""
    binary = binary_of("redis")
    master = servers.on_port(binary)
    sentinel = servers.sentinel(binary, master, down_after_ms=500)
    servers.processes[master].kill()
    servers.processes[master].wait(timeout=10)
    write_log(tmp_path, range(1, 31))
    async with Delivery(tmp_path, sink(f"redis+sentinel://127.0.0.1:{sentinel}/main"), timeout_s=2.0) as delivery:
        await until(lambda: delivery.told("delivery.failed"), "it to be told")
        assert delivery.runner.position.seq == 0
        other = servers.on_port(binary)
        told = redis.Redis(port=sentinel)
        told.execute_command("SENTINEL", "REMOVE", "main")
        told.execute_command("SENTINEL", "MONITOR", "main", "127.0.0.1", other, 1)
        await delivery.has_come_to(30)
    assert numbers(redis.Redis(port=other, decode_responses=True)) == list(range(1, 31))


async def test_each_node_has_a_stream_on_whatever_master_its_key_lies(servers: Servers, tmp_path: Path):
    """A cluster of three: the streams of twelve nodes lie on all of them; what comes again changes nothing."""
    ports = servers.cluster(binary_of("redis"))
    url = "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)
    keys = [f"trunkgate:cdr:n{number}" for number in range(12)]
    assert len({slot_of(key) * 3 // 16_384 for key in keys}) == 3
    for number, key in enumerate(keys):
        state = tmp_path / key
        state.mkdir()
        write_log(state, range(1, 51))
        for _ in range(2):
            async with Delivery(state, sink(url, key, f"n{number}"), records=20) as delivery:
                await delivery.has_come_to(50)
            (delivery.home / "checkpoint.json").unlink()
            assert numbers(client_of(url), key) == list(range(1, 51))


async def test_a_stream_whose_slot_moves_loses_nothing(servers: Servers, tmp_path: Path):
    """There and back again while records are delivered: asked, moved, and each entry once."""
    cluster = Cluster(servers, servers.cluster(binary_of("redis")), tmp_path)
    slot, home = slot_of(KEY), cluster.master_of_key(KEY)
    last = 0
    async with Delivery(tmp_path, sink(cluster.url), records=10, age_s=0.01) as delivery:
        for source, target in ((home, (home + 1) % 3), ((home + 1) % 3, home)) * 2:
            write_log(tmp_path, range(last + 1, last + 101))
            last += 100
            with suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await delivery.has_come_to(last - 50)
            cluster.move_slot(slot, source, target)
        await delivery.has_come_to(last)
    assert numbers(client_of(cluster.url)) == list(range(1, last + 1))
    assert delivery.quarantined() == []
