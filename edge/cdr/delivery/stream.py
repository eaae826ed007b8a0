"""Entries of one Redis Stream: in order, none twice, whatever is delivered again (I/O).

The entry of record N has the id `N-0`, and a stream takes no id at or below its last one: a second delivery changes
nothing. Where the id is taken the script looks whether it is the same call, so that another log or another node under
the same key is noticed and never taken for a delivery. A server that has lost its newest entries (a failover to a copy
that lagged behind) says at the next start how far it really is, and delivery goes on from there.

One script a batch over one key: standalone, Sentinel and Cluster alike.
"""

from collections.abc import Sequence

import redis.exceptions

from edge.cdr.delivery.consumer import BatchRefused, DeliveryFailed, Entry
from limits.errors import StoreUnavailable
from limits.stores import open_store

SCRIPT = """
-- KEYS[1] the stream; ARGV: its longest length or 0, the node, the last number it is known to have had, then seq, uid
-- and line of each record. Returns {entries added, place of the record that cannot be added, 0 or -1 where the stream
-- has lost entries, uid that has the record's number or ''}.
local added = 0
local about = redis.pcall('XINFO', 'STREAM', KEYS[1])
local top = 0
for place = 1, about.err and 0 or #about, 2 do
    if about[place] == 'last-generated-id' then
        top = tonumber(string.match(about[place + 1], '^%d+'))
    end
end
if top < tonumber(ARGV[3]) then
    return {0, -1, ''}
end
for place = 4, #ARGV, 3 do
    local id = ARGV[place] .. '-0'
    local fields = {'seq', ARGV[place], 'uid', ARGV[place + 1], 'node', ARGV[2], 'cdr', ARGV[place + 2]}
    local done
    if ARGV[1] == '0' then
        done = redis.pcall('XADD', KEYS[1], id, unpack(fields))
    else
        done = redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], id, unpack(fields))
    end
    if type(done) == 'table' and done.err then
        if not string.find(done.err, 'equal or smaller', 1, true) then
            return done
        end
        local found = redis.call('XRANGE', KEYS[1], id, id)[1]
        local uid = found and found[2][4] or ''
        if uid ~= ARGV[place + 1] then
            return {added, place, uid}
        end
    else
        added = added + 1
    end
end
return {added, 0, ''}
"""


class RedisStream:
    """The consumer of one stream."""

    def __init__(self, name: str, url: str, *, key: str, node: str, maxlen: int = 0) -> None:
        """`url` in the forms of `limits.address`; raises ValueError where it is none. `maxlen` 0: no entry goes."""
        self.name = name
        self._client = open_store(url, decode=False)
        self._key = key
        self._node = node
        self._maxlen = maxlen
        self._top = 0
        """The last number the stream is known to have had."""

    async def start(self, cursor: int) -> int:
        """How far the stream is, where that is less than the checkpoint says."""
        try:
            about = await self._client.xinfo_stream(self._key)
        except redis.exceptions.ResponseError as error:
            if "no such key" in str(error):
                self._top = 0
                return cursor
            raise DeliveryFailed(_why(error)) from error
        except (redis.exceptions.RedisError, StoreUnavailable, OSError) as error:
            raise DeliveryFailed(_why(error)) from error
        last = about["last-generated-id"]
        self._top = int(bytes(last).partition(b"-")[0]) if isinstance(last, bytes) else int(str(last).partition("-")[0])
        return min(cursor, self._top)

    async def deliver(self, entries: Sequence[Entry]) -> None:
        """One script call."""
        arguments: list[bytes | str | int] = [self._maxlen, self._node, self._top]
        for entry in entries:
            arguments += [entry.seq, entry.uid, entry.line.rstrip(b"\n")]
        try:
            _, refused, uid = await self._client.eval(SCRIPT, 1, self._key, *arguments)
        except (redis.exceptions.RedisError, StoreUnavailable, OSError) as error:
            raise DeliveryFailed(_why(error)) from error
        if not refused:
            self._top = max(self._top, entries[-1].seq)
            return
        if refused < 0:
            raise DeliveryFailed(f"stream {self._key} has lost entries that it had, up to {self._top}-0")
        if uid:
            raise DeliveryFailed(
                f"stream {self._key} has another call under a number of this log: it belongs to another node or log"
            )
        raise BatchRefused(
            f"stream {self._key} is past this record, which is not in it: trimmed, or deleted by hand; "
            "delete the stream to have it filled again"
        )

    async def tend(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Close the connections."""
        try:
            await self._client.aclose()
        except (redis.exceptions.RedisError, OSError):
            return


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
