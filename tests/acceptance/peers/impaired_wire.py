"""Bad wires: Ethernet frames carried between pairs of interfaces, some lost, some twice, some late (needs CAP_NET_RAW).

Arguments: seed, share lost, share doubled, share held back (each of a hundred), then NAME=ONE:OTHER for each wire.
Commands on standard input: `cut NAME`, `mend NAME`; its end ends the wires. Then one line of JSON: what became of the
frames of each wire. Whoever is at the ends of a wire sees a plain Ethernet, so that nothing in a message must change.

What a network emulator of the kernel does (tc netem) is not in every kernel; packet sockets are.
"""

import contextlib
import heapq
import itertools
import json
import random
import selectors
import socket
import struct
import sys
import time

ALL_PROTOCOLS = 0x0003
SOL_PACKET, PACKET_VNET_HDR, OUTGOING = 263, 15, 4
VNET_HEADER = 10
"""Bytes before each frame that say which checksum the kernel has left for later (virtio_net.h): given back as found."""
IPV4 = struct.pack("!H", 0x0800)
HELD_S = (0.01, 0.08)
LARGEST = 65_536


def port_of(interface: str) -> socket.socket:
    """All frames of an interface, with what the kernel says of their checksums."""
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
    port.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    port.bind((interface, ALL_PROTOCOLS))
    port.setblocking(False)
    return port


class Wires:
    """All of them, until standard input ends."""

    def __init__(self, seed: int, lost: float, doubled: float, held: float, ends: dict[str, tuple[str, str]]) -> None:
        self.chance = random.Random(seed)
        self.lost, self.doubled, self.held = lost, doubled, held
        self.cut: set[str] = set()
        self.told = {name: dict.fromkeys(("passed", "lost", "doubled", "held", "cut"), 0) for name in ends}
        self.later: list[tuple[float, int, socket.socket, bytes]] = []
        self.order = itertools.count()
        self.selector = selectors.DefaultSelector()
        for name, interfaces in ends.items():
            one, other = map(port_of, interfaces)
            self.selector.register(one, selectors.EVENT_READ, (name, other))
            self.selector.register(other, selectors.EVENT_READ, (name, one))
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)

    def run(self) -> None:
        while True:
            wait = max(0.0, self.later[0][0] - time.monotonic()) if self.later else None
            for key, _ in self.selector.select(wait):
                if key.data is None:
                    if not self.told_to():
                        return
                else:
                    self.carry(key.fileobj, *key.data)
            while self.later and self.later[0][0] <= time.monotonic():
                _, _, port, frame = heapq.heappop(self.later)
                self.put(port, frame)

    def told_to(self) -> bool:
        words = sys.stdin.readline().split()
        if words and words[0] == "cut":
            self.cut.add(words[1])
        elif words and words[0] == "mend":
            self.cut.discard(words[1])
        return bool(words)

    def carry(self, port: socket.socket, name: str, other: socket.socket) -> None:
        while True:
            try:
                frame, (_, _, kind, *_) = port.recvfrom(LARGEST)
            except BlockingIOError:
                return
            if kind == OUTGOING:
                continue
            told = self.told[name]
            if name in self.cut:
                told["cut"] += 1
                continue
            is_ip = frame[VNET_HEADER + 12 : VNET_HEADER + 14] == IPV4
            if is_ip and self.chance.random() < self.lost:
                told["lost"] += 1
                continue
            told["passed"] += 1
            copies = 1
            if is_ip and self.chance.random() < self.doubled:
                told["doubled"] += 1
                copies = 2
            for _ in range(copies):
                if is_ip and self.chance.random() < self.held:
                    told["held"] += 1
                    at = time.monotonic() + self.chance.uniform(*HELD_S)
                    heapq.heappush(self.later, (at, next(self.order), other, frame))
                else:
                    self.put(other, frame)

    @staticmethod
    def put(port: socket.socket, frame: bytes) -> None:
        with contextlib.suppress(OSError):  # the interface is down or its queue full: lost, as on any wire
            port.send(frame)


def main() -> None:
    seed, lost, doubled, held, *words = sys.argv[1:]
    ends = {}
    for word in words:
        name, _, interfaces = word.partition("=")
        one, _, other = interfaces.partition(":")
        ends[name] = (one, other)
    wires = Wires(int(seed), float(lost) / 100, float(doubled) / 100, float(held) / 100, ends)
    print("ready", flush=True)
    wires.run()
    print(json.dumps(wires.told), flush=True)


main()
