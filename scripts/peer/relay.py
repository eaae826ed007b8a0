"""A relay that judges nothing: the least that Python has to do for a call. Read by scripts/bench-floor.

    relay.py PORT CALLEE_PORT REDIS_SOCKET ADMIT_DIGEST RELEASE_DIGEST RECORDS

Asks the store the two scripts of the peer, adds and takes off its Via and Record-Route, writes 1,500 bytes a call. No
transactions, timers, retransmissions, checks or limits of its own, and it trusts everybody: for measuring alone.
"""

import asyncio
import gc
import socket
import sys
import time
from collections import deque

import hiredis
import uvloop

DRAIN, BUSY_S = 32, 50e-6
"""As edge.transport.udp reads."""
RECORD = b"{%b}\n" % (b"x" * 1_500)
ECHOED = (b"Via", b"Fro", b"To:", b"Cal", b"CSe")
Source = tuple[str, int]


def field(data: bytes, name: bytes) -> bytes:
    """The value of the first header of this name, as SIPp spells it."""
    at = data.find(name)
    return data[at + len(name) : data.find(b"\r\n", at)].strip()


class Relay:
    """One socket for SIP, one for the store."""

    def __init__(self, port: int, callee: int, store: str, admit: bytes, release: bytes, records: str) -> None:
        self.callee = ("127.0.0.1", callee)
        self.admit, self.release = admit, release
        self.via = b"Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKr-" % port
        self.record_route = b"Record-Route: <sip:127.0.0.1:%d;lr>\r\n" % port
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sip.bind(("127.0.0.1", port))
        self.store = socket.socket(socket.AF_UNIX)
        self.store.connect(store)
        self.reader = hiredis.Reader()
        self.records = open(records, "ab", buffering=0)  # noqa: SIM115
        self.calls: dict[bytes, tuple[Source, bytes]] = {}
        self.waiting: deque[tuple[bytes, Source] | None] = deque()
        self.out: list[bytes] = []
        self.idle_since = 0.0

    def ask(self, digest: bytes, *words: bytes) -> None:
        """A script, with the other ones of this wake-up."""
        head = b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n" % (len(words) + 2, digest)
        self.out.append(head + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words]))

    def read(self) -> None:
        for _ in range(DRAIN if time.monotonic() - self.idle_since < BUSY_S else 1):
            try:
                data, source = self.sip.recvfrom(65_535)
            except BlockingIOError:
                break
            if data.startswith(b"SIP/2.0 "):
                self.response(data)
            else:
                self.request(data, source)
        if self.out:
            self.store.send(b"".join(self.out))
            self.out.clear()
        self.idle_since = time.monotonic()

    def response(self, data: bytes) -> None:
        """Without our Via, to where the call came from."""
        call_id = field(data, b"Call-ID:")
        call = self.calls.get(call_id)
        if call is None:
            return
        at = data.find(b"Via:")
        end = data.find(b"\r\n", at)
        rest = data[at:end].partition(b",")[2].lstrip()
        self.sip.sendto(data[:at] + (b"Via: " + rest + data[end:] if rest else data[end + 2 :]), call[0])
        if data.startswith(b"200", 8) and b" BYE\r\n" in data:
            del self.calls[call_id]
            account = call[1]
            keys = (b"3", b"calls:" + account, b"call:" + call_id, b"records")
            self.ask(self.release, *keys, call_id, account, b"1", b"bye")
            self.waiting.append(None)
            self.records.write(RECORD)

    def request(self, data: bytes, source: Source) -> None:
        start = data.find(b"\r\n") + 2
        if data.startswith(b"OPTIONS"):
            self.sip.sendto(b"SIP/2.0 200 OK\r\n" + data[start:], source)
            return
        call_id = field(data, b"Call-ID:")
        data = data[:start] + self.via + call_id + b"\r\n" + data[start:]
        if data.startswith(b"INVITE"):
            account = field(data, b"X-Account:")
            self.calls[call_id] = (source, account)
            keys = (b"4", b"account:" + account, b"calls:" + account, b"call:" + call_id, b"records")
            self.ask(self.admit, *keys, call_id, b"33", b"0")
            self.waiting.append((data, source))
            return
        at = data.find(b"Route:")
        if at > 0:
            data = data[:at] + data[data.find(b"\r\n", at) + 2 :]
        self.sip.sendto(data, self.callee)

    def answered(self) -> None:
        """Replies of the store: an INVITE goes on, whatever they say."""
        self.reader.feed(self.store.recv(65_536))
        while self.reader.gets() is not False:
            asked = self.waiting.popleft()
            if asked is not None:
                data, source = asked
                start = data.find(b"\r\n") + 2
                _, *lines = data[start : data.find(b"\r\n\r\n")].split(b"\r\n")  # the first is our Via
                trying = [b"SIP/2.0 100 Trying", *[line for line in lines if line[:3] in ECHOED], b"", b""]
                self.sip.sendto(b"\r\n".join(trying), source)
                self.sip.sendto(data[:start] + self.record_route + data[start:], self.callee)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for sock, read in ((self.sip, self.read), (self.store, self.answered)):
            sock.setblocking(False)
            loop.add_reader(sock.fileno(), read)
        gc.freeze()
        await asyncio.Event().wait()


if __name__ == "__main__":
    _, port, callee, store, admit, release, records = sys.argv
    relay = Relay(int(port), int(callee), store, admit.encode(), release.encode(), records)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(relay.run())
