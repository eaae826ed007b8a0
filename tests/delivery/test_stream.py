"""edge.cdr.delivery.stream against real servers."""

import orjson
import pytest
import redis
from peers import Delivery, RedisServer, cancelled_in, entries, until, write_log

from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed
from edge.cdr.delivery.stream import RedisStream

KEY = "trunkgate:cdr:n1"


def stream(server: RedisServer, *, maxlen: int = 0, key: str = KEY) -> RedisStream:
    return RedisStream("queue", server.url, key=key, node="n1", maxlen=maxlen)


def ids(server: RedisServer, key: str = KEY) -> list[int]:
    return [int(str(entry[0]).partition("-")[0]) for entry in server.client().xrange(key)]


async def test_an_entry_names_its_record_and_holds_it(redis_server: RedisServer):
    """Id N-0; number, uid, node, and the record as JSON."""
    sink = stream(redis_server)
    assert 0 == await sink.start(0)
    await sink.deliver(entries(7, called="é"))
    await sink.close()
    ((name, fields),) = redis_server.client().xrange(KEY)
    assert ("7-0", "7", "uid-7", "n1") == (name, fields["seq"], fields["uid"], fields["node"])
    assert ("é", 7) == (orjson.loads(fields["cdr"])["called"], orjson.loads(fields["cdr"])["seq"])


async def test_whatever_comes_again_changes_nothing(redis_server: RedisServer):
    """A part of a batch, or all of it."""
    sink = stream(redis_server)
    await sink.start(0)
    await sink.deliver(entries(1, 2, 3))
    await sink.deliver(entries(2, 3, 4))
    await sink.deliver(entries(1, 2, 3, 4))
    await sink.close()
    assert [1, 2, 3, 4] == ids(redis_server)


async def test_a_server_that_lost_its_newest_entries_gets_them_again(redis_server: RedisServer):
    """A failover to a copy that lagged: the stream says how far it is, the checkpoint is not believed."""
    sink = stream(redis_server)
    await sink.start(0)
    await sink.deliver(entries(1, 2, 3))
    assert 3 == await sink.start(9)
    assert 2 == await sink.start(2)
    redis_server.client().delete(KEY)
    assert 9 == await sink.start(9)
    await sink.close()


async def test_another_log_under_the_same_key_is_noticed(redis_server: RedisServer):
    """Two nodes, or a state directory made anew: never taken for a second delivery."""
    sink = stream(redis_server)
    await sink.start(0)
    await sink.deliver(entries(1, 2))
    with pytest.raises(DeliveryFailed, match="it belongs to another node or log"):
        await sink.deliver(entries(1, uid="somebody-else"))
    assert [1, 2] == ids(redis_server)
    await sink.close()


async def test_what_was_trimmed_cannot_be_put_back(redis_server: RedisServer):
    """It is refused, so that it lands in the quarantine and not nowhere; an emptied stream is filled again."""
    sink = stream(redis_server)
    await sink.start(0)
    await sink.deliver(entries(1, 2, 3))
    redis_server.client().xtrim(KEY, maxlen=1, approximate=False)
    with pytest.raises(BatchRefused, match="trimmed, or deleted by hand"):
        await sink.deliver(entries(2, 3))
    redis_server.client().delete(KEY)
    with pytest.raises(DeliveryFailed, match="has lost entries"):
        await sink.deliver(entries(1, 2, 3))
    await sink.start(0)
    await sink.deliver(entries(1, 2, 3))
    assert [1, 2, 3] == ids(redis_server)
    await sink.close()


async def test_a_stream_may_be_bounded(redis_server: RedisServer):
    """About so many entries, only where it is asked for."""
    bounded, whole = stream(redis_server, maxlen=100), stream(redis_server, key="whole")
    for begin in range(1, 2_001, 500):
        await bounded.deliver(entries(*range(begin, begin + 500)))
        await whole.deliver(entries(*range(begin, begin + 500)))
    await bounded.close()
    await whole.close()
    assert 100 <= len(ids(redis_server)) <= 300
    assert 2_000 == len(ids(redis_server, "whole"))


@pytest.mark.parametrize("trouble", ["memory", "type"])
async def test_a_server_that_cannot_is_a_failure(redis_server: RedisServer, trouble: str):
    """Out of memory, another thing under the key: no record is put aside for it."""
    client = redis_server.client()
    if trouble == "memory":
        client.config_set("maxmemory", "1")
        client.config_set("maxmemory-policy", "noeviction")
    else:
        client.set(KEY, "a text")
    sink = stream(redis_server)
    with pytest.raises(DeliveryFailed, match=r"OOM|OutOfMemory|WRONGTYPE"):
        await sink.deliver(entries(1))
    await sink.close()


async def test_a_server_that_is_killed_and_started_again(redis_server: RedisServer, tmp_path):
    """Three times in the middle of the load: every record is there once, in order."""
    write_log(tmp_path, range(1, 2_001))
    async with Delivery(tmp_path, stream(redis_server), records=20) as delivery:
        for turn in range(1, 4):
            await delivery.has_come_to(turn * 400)
            redis_server.kill()
            await until(lambda turn=turn: len(delivery.told("delivery.failed")) >= turn, "the failure to be told")
            redis_server.start()
        await delivery.has_come_to(2_000)
    assert list(range(1, 2_001)) == ids(redis_server)
    assert [] == delivery.quarantined()


async def test_a_server_without_persistence_loses_and_says_so(tmp_path):
    """Killed and started empty, its stream begun again by hand: delivery goes back to what it has."""
    server = RedisServer(tmp_path)
    server.start()
    try:
        write_log(tmp_path / "state", range(1, 101))
        async with Delivery(tmp_path / "state", stream(server)) as delivery:
            await delivery.has_come_to(100)
            server.kill()
            server.start()
            server.client().xadd(KEY, {"seq": "40", "uid": "uid-40"}, id="40-0")
            write_log(tmp_path / "state", [101])
            await until(lambda: bool(delivery.told("delivery.rewound")), "the loss to be noticed")
            await delivery.has_come_to(101)
        assert list(range(40, 102)) == ids(server)
        assert {"sink": "queue", "from": 41, "cursor": 100} == delivery.told("delivery.rewound")[0]
    finally:
        server.close()


async def test_cut_off_anywhere_a_batch_is_there_once(redis_server: RedisServer):
    """A script is all or nothing at the server; a second delivery finds it done."""
    for turns in range(30):
        sink = stream(redis_server)
        await cancelled_in(sink.deliver(entries(*range(turns * 5 + 1, turns * 5 + 6))), turns)
        await sink.start(turns * 5)
        await sink.deliver(entries(*range(turns * 5 + 1, turns * 5 + 6)))
        await sink.close()
    assert list(range(1, 151)) == ids(redis_server)
    assert isinstance(redis_server.client(), redis.Redis)
