"""The delivery process as an edge starts it, killed again and again under way: nothing missing, nothing twice."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from peers import Postgres, RedisServer, line, until, write_log
from test_webhook import SECRET, Receiver

from edge.cdr.delivery import checkpoint as checkpoints
from edge.cdr.delivery import status
from edge.cdr.delivery.build import SINKS
from edge.config.parsing import read_static

CYCLES = int(os.environ.get("TRUNKGATE_KILL_CYCLES", "12"))
RECORDS_A_CYCLE = 120
NAMES = ("files", "queue", "rows", "hook")


class Process:
    """`python -m edge.cdr.delivery.process`."""

    def __init__(self, state: Path, settings: str) -> None:
        static = read_static(command_line={"policy": "p"}, environment={}, file_text=settings, file_name="edge.toml")
        sinks = SINKS.dump_json(static.cdr.sinks, by_alias=True).decode()
        # It has a place of its own: nobody here starts it again where it gives way and starves on a busy machine.
        own = {"state": str(state), "node": "n1", "gives_way": False}
        orders = {**own, "log": "json", "log_level": "info", "sinks": sinks}
        self._orders = json.dumps(orders).encode() + b"\n"
        self._log = state / "delivery.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "edge.cdr.delivery.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "CDR_WEBHOOK_SECRET": SECRET},
            )
        assert self._process.stdin is not None
        self._process.stdin.write(self._orders)
        self._process.stdin.flush()

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=10)
        assert self._process.stdin is not None
        self._process.stdin.close()

    def finish(self) -> int:
        """Its edge has stopped."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(timeout=20)

    def is_over(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def facts(self) -> list[dict[str, object]]:
        return [json.loads(text) for text in self._log.read_text().splitlines()]


@pytest.fixture
def receiver(tmp_path):
    made = Receiver(tmp_path)
    made.start()
    yield made
    made.kill()


def settings(tmp_path: Path, redis_server: RedisServer, postgres: Postgres, receiver: Receiver) -> str:
    own = {
        "files": f'kind = "csv"\ndirectory = "{tmp_path}/out"\ncolumns = ["uid", "seq"]\nrotate_records = 150',
        "queue": f'kind = "redis"\nurl = "{redis_server.url}"',
        "rows": f'kind = "postgres"\ndsn = "{postgres.dsn}"',
        "hook": f'kind = "webhook"\nurl = "http://127.0.0.1:{receiver.port}/"\nsecret_env = "CDR_WEBHOOK_SECRET"',
    }
    return "\n".join(
        f'[[cdr.sinks]]\nname = "{name}"\nbatch_records = 17\nbatch_age_s = 0.01\n{own[name]}' for name in NAMES
    )


def uids_in_files(directory: Path) -> list[str]:
    found = []
    for path in sorted(directory.glob("cdr-*.csv")):
        with path.open(newline="") as file:
            rows = [row for row in csv.reader(file) if row[0] != "uid"]
        first, last = path.stem.split("-")[-2:]
        assert (int(first), int(last)) == (int(rows[0][1]), int(rows[-1][1])), "a name tells what is in the file"
        found += [row[0] for row in rows]
    return found


async def test_killed_again_and_again(tmp_path, redis_server: RedisServer, postgres: Postgres, receiver: Receiver):
    """SIGKILL at whatever it does, with records coming and segments turning: all arrive, once, in four places."""
    chance = random.Random(5)
    state = tmp_path / "state"
    process = Process(state, settings(tmp_path, redis_server, postgres, receiver))
    last = 0

    def cursor(name: str) -> int:
        kept = checkpoints.load(state / "delivery" / name)
        return 0 if kept is None else kept.seq

    for _ in range(CYCLES):
        write_log(state, range(last + 1, last + RECORDS_A_CYCLE + 1), first=last + 1)
        last += RECORDS_A_CYCLE
        process.start()
        name = chance.choice(NAMES)
        goal = min(last, cursor(name) + chance.randrange(RECORDS_A_CYCLE + 1))
        await until(lambda name=name, goal=goal: cursor(name) >= goal, f"{name} to come to {goal}")
        process.kill()
        with (state / "cdr" / f"cdr-20260701-{last - RECORDS_A_CYCLE + 1:012d}.jsonl").open("ab") as torn:
            torn.write(line(last + 1)[: chance.randrange(1, 50)])
    process.start()
    await until(lambda: all(cursor(name) == last for name in NAMES), "all to have everything", 30.0 + CYCLES)
    assert 0 == process.finish()
    expected = [f"uid-{seq}" for seq in range(1, last + 1)]
    assert expected == uids_in_files(tmp_path / "out")
    assert expected == [str(fields["uid"]) for _, fields in redis_server.client().xrange("trunkgate:cdr:n1")]
    assert [(uid,) for uid in expected] == postgres.rows("SELECT uid FROM cdr ORDER BY seq")
    assert expected == receiver.uids()
    assert [] == [path.name for path in (state / "delivery").rglob("quarantine-*")]


async def test_it_delivers_the_rest_when_its_edge_is_gone(tmp_path, redis_server, postgres, receiver):
    """Standard input closes: what the log has goes out, files get their names, and it ends by itself."""
    state = tmp_path / "state"
    process = Process(state, settings(tmp_path, redis_server, postgres, receiver))
    write_log(state, range(1, 301))
    process.start()
    await until(lambda: status.is_running(state / "delivery"), "the process to hold its lock")
    assert 0 == process.finish()
    assert not status.is_running(state / "delivery")
    assert {"delivered": 4, "unfinished": 0}.items() <= process.facts()[-1].items()
    assert 300 == len(uids_in_files(tmp_path / "out")) == len(receiver.uids())
    assert [] == [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


async def test_one_that_is_stuck_holds_up_no_other(tmp_path, redis_server, postgres, receiver):
    """A receiver and a database that hang: files and queue have everything meanwhile; the end does not wait long."""
    state = tmp_path / "state"
    process = Process(state, settings(tmp_path, redis_server, postgres, receiver))
    postgres.signal(signal.SIGSTOP)
    receiver.signal(signal.SIGSTOP)
    try:
        write_log(state, range(1, 501))
        process.start()

        def cursor(name: str) -> int:
            kept = checkpoints.load(state / "delivery" / name)
            return 0 if kept is None else kept.seq

        await until(lambda: cursor("files") == cursor("queue") == 500, "files and queue to have everything")
        assert 0 == cursor("hook") == cursor("rows")
        assert 0 == process.finish()
    finally:
        postgres.signal(signal.SIGCONT)
        receiver.signal(signal.SIGCONT)
    assert {"delivered": 2, "unfinished": 2}.items() <= process.facts()[-1].items()


async def test_only_one_delivers_from_a_state_directory(tmp_path, redis_server, postgres, receiver):
    """The next one waits until the one before has ended, then goes on where it was."""
    state = tmp_path / "state"
    words = settings(tmp_path, redis_server, postgres, receiver)
    first, second = Process(state, words), Process(state, words)
    write_log(state, range(1, 51))
    first.start()
    await until(lambda: status.is_running(state / "delivery"), "the first to hold the lock")
    second.start()
    first.kill()
    write_log(state, range(51, 101))
    await until(lambda: 100 == len(receiver.uids()), "the second to take over")
    assert 0 == second.finish()
    assert 100 == len(set(receiver.uids()))


async def test_a_sink_that_cannot_be_set_up_is_told(tmp_path, redis_server, postgres, receiver):
    """Exit code 1, and the reason in the log."""
    state = tmp_path / "state"
    state.mkdir()
    words = settings(tmp_path, redis_server, postgres, receiver).replace("CDR_WEBHOOK_SECRET", "NOT_THERE")
    process = Process(state, words)
    process.start()
    await until(process.is_over, "it to end")
    assert 1 == process.finish()
    assert "sink 'hook': secret_env: the environment variable NOT_THERE is not set" == process.facts()[-1]["why"]
