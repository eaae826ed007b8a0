"""A program: a writer of the log and a sink behind it, both killed at random instants, many times over.

`killed_log.py DIRECTORY CYCLES SEED` prints what became of the records, as JSON. It forks: a process a cycle for the
writer, one for the delivery, each killed by SIGKILL a few milliseconds after it has begun to work.
"""

import asyncio
import json
import os
import random
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edge.cdr.builder import CdrBuilder
from edge.cdr.delivery.consumer import Bounds
from edge.cdr.delivery.layout import JsonLines
from edge.cdr.delivery.runner import Runner
from edge.cdr.delivery.spool import Rotation, Spool
from edge.cdr.verify import verify
from edge.cdr.writer import CdrWriter
from edge.proxy.facts import CallFacts, Fact

SEGMENT_BYTES = 40_000
BOUNDS = Bounds(records=20, age_s=0.0)
ROTATION = Rotation(age_s=3_600, size=1 << 30, records=30)


def ignore(fact: Fact) -> None:
    pass


def write(directory: Path, cycle: int, told: int, draw: random.Random) -> None:
    """Append for ever; tell each uid once its record is written, as a caller is told after it (R14)."""
    wall, now = time.time(), time.monotonic()
    writer = CdrWriter(directory, wall0=wall, mono0=now, tell=ignore, segment_bytes=SEGMENT_BYTES)
    builder = CdrBuilder("n1", wall0=wall, mono0=now)
    number = 0
    while True:
        uids = []
        for _ in range(draw.randint(1, 8)):
            number += 1
            uids.append(f"{cycle}-{number}")
            writer.append(builder.line(CallFacts(uids[-1], time.monotonic()), writer.take_seq()))
        writer.flush(time.monotonic())
        os.write(told, "".join(f"{uid}\n" for uid in uids).encode())
        if draw.random() < 0.3:
            writer.sync()


def runner(directory: Path) -> Runner:
    spool = Spool("rating", directory / "out", node="n1", layout=JsonLines(), rotation=ROTATION)
    return Runner(spool, log=directory / "cdr", home=directory / "delivery" / "rating", tell=ignore, bounds=BOUNDS)


def deliver(directory: Path) -> None:
    """Deliver for ever."""
    asyncio.run(runner(directory).run())


async def deliver_all(directory: Path) -> None:
    last = runner(directory)
    last.finish()
    await last.run()
    await last.close()


def forked(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(1)  # a child that ends by itself has failed
    return pid


def main() -> None:
    directory, cycles = Path(sys.argv[1]), int(sys.argv[2])
    draw = random.Random(int(sys.argv[3]))
    ours, theirs = os.pipe()
    acknowledged: set[str] = set()
    rest = b""
    own_ends = 0
    for cycle in range(cycles):
        seed = draw.random()
        children = [
            forked(lambda cycle=cycle, seed=seed: write(directory / "cdr", cycle, theirs, random.Random(seed))),
            forked(lambda: deliver(directory)),
        ]
        until, told = time.monotonic() + 10, 0
        wanted = draw.randint(1, 60)  # records, then the end comes
        while told < wanted and time.monotonic() < until:
            if select.select([ours], [], [], 0.2)[0]:
                data = rest + os.read(ours, 1 << 16)
                *lines, rest = data.split(b"\n")
                acknowledged.update(line.decode() for line in lines)
                told += len(lines)
        draw.shuffle(children)
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        own_ends += sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != -signal.SIGKILL for pid in children)
        while select.select([ours], [], [], 0)[0]:
            data = rest + os.read(ours, 1 << 16)
            *lines, rest = data.split(b"\n")
            acknowledged.update(line.decode() for line in lines)
        rest = b""
    wall, now = time.time(), time.monotonic()
    CdrWriter(directory / "cdr", wall0=wall, mono0=now, tell=ignore, segment_bytes=SEGMENT_BYTES).close(now)
    asyncio.run(deliver_all(directory))
    delivered = Counter(
        json.loads(line)["uid"] for path in (directory / "out").glob("cdr-*.jsonl") for line in path.open("rb")
    )
    report = verify([directory / "cdr"])
    summary = {
        "cycles": cycles,
        "ended_by_themselves": own_ends,
        "acknowledged": len(acknowledged),
        "delivered": sum(delivered.values()),
        "missing": sorted(acknowledged - set(delivered))[:10],
        "twice": [uid for uid, count in delivered.items() if count > 1][:10],
        "records": report.records,
        "findings": [f"{finding.kind} {finding.place}: {finding.text}" for finding in report.findings][:10],
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
