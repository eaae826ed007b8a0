"""When an edge stands still: requests at fixed instants beside its calls, none of which waits for the one before.

Read by scripts/bench. A caller that waits for its answer places nothing meanwhile, so it meets a stop once, however
long it was. Standard library only.
"""

import select
import socket
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from load_lab import HOST, OVERTIME_S, EdgeLab

EVERY_S = 0.010
WORST = 5
HOLD_MS = 20
"""Of the calls beside."""


@dataclass
class Waits:
    """What became of them."""

    answered: list[tuple[float, float]] = field(default_factory=list)
    """(seconds after the first, ms to the answer)."""
    late: list[float] = field(default_factory=list)
    """How much later than planned each was sent, ms: what this machine did to us, not the edge."""
    unanswered: int = 0


class Metronome:
    """OPTIONS to an edge, which answers it without store and trunk."""

    def __init__(self, port: int) -> None:
        self._target = (HOST, port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._here = f"{HOST}:{self._socket.getsockname()[1]}"

    def run(self, seconds: float) -> Waits:
        """So long; then what is open is waited for."""
        waits, open_ = Waits(), dict[int, float]()
        begun = time.perf_counter()
        count, number = int(seconds / EVERY_S), 0
        while number < count or open_:
            due = begun + number * EVERY_S if number < count else begun + seconds + OVERTIME_S
            now = time.perf_counter()
            if now < due:
                if select.select([self._socket], [], [], due - now)[0]:
                    self._hear(open_, begun, waits)
                continue
            if number == count:
                break
            waits.late.append((now - due) * 1e3)
            open_[number] = now
            self._socket.sendto(self._request(number), self._target)
            number += 1
        waits.unanswered = len(open_)
        self._socket.close()
        return waits

    def _hear(self, open_: dict[int, float], begun: float, waits: Waits) -> None:
        head = self._socket.recv(65_535)
        arrived = time.perf_counter()
        sent = open_.pop(int(head.partition(b"Call-ID: tick-")[2].partition(b"@")[0] or b"-1"), None)
        if sent is not None:
            waits.answered.append((sent - begun, (arrived - sent) * 1e3))

    def _request(self, number: int) -> bytes:
        return (
            f"OPTIONS sip:{self._target[0]}:{self._target[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self._here};branch=z9hG4bKtick{number}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:tick@{self._here}>;tag=t{number}\r\nTo: <sip:{HOST}>\r\n"
            f"Call-ID: tick-{number}@{self._here}\r\n"
            "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ).encode()


def told(waits: Waits) -> dict[str, object]:
    """Percentiles, and when the longest were."""
    ordered = sorted(ms for _, ms in waits.answered)
    worst = sorted(waits.answered, key=lambda each: -each[1])[:WORST]
    return {
        "requests": len(waits.late),
        "unanswered": waits.unanswered,
        "options_ms": _percentiles(ordered),
        "longest": [f"{ms:.1f} ms at {at:.1f} s" for at, ms in worst],
        "sent_late_ms": _percentiles(sorted(waits.late)),
    }


def _percentiles(ordered: list[float]) -> dict[str, float]:
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
    found = {
        name: round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) for name, share in shares.items()
    }
    return {**found, "max": round(ordered[-1], 2)}


def stalls(edge: list[str], rate: int, seconds: int) -> dict[str, object]:
    """Calls at this rate, and what waited beside them."""
    with tempfile.TemporaryDirectory(prefix="edge-stalls-") as folder, ExitStack() as stack:
        lab = EdgeLab(Path(folder), stack, edge, seconds + 90)
        found: list[Waits] = []
        metronome = threading.Thread(target=lambda: found.append(Metronome(lab.port).run(seconds)))
        caller = lab.start_caller(stack, "load", rate * seconds, rate, HOLD_MS)
        metronome.start()
        metronome.join()
        caller.popen.wait()
        failed = rate * seconds - lab.count("load", "SuccessfulCall(C)")
        return {"calls_per_s": rate, "seconds": seconds, "calls_failed": failed, **told(found[0])}
