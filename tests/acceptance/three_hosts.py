"""Three edges, three hosts of stores, a name server, callers and a callee: each a host of its own on one wire.

    edge1 edge2 edge3   store1 store2 store3   names   caller   callee      10.62.0.11 … on one switch

The stores are a Redis Cluster (a master on each host, its replica on another) or one master with two replicas and three
sentinels. Callers find the edges by SRV. Hosts can be parted from the others (their ports of the switch are put on
another one) and brought back. Needs root, as `namespaces` does; redis-server, redis-cli and nsd.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from lab import until
from namespaces import PEERS, Network, Process, as_root, ip, run, sweep

EDGES, STORES = ("edge1", "edge2", "edge3"), ("store1", "store2", "store3")
NAMES, CALLER, CALLEE = "names", "caller", "callee"
ADDRESSES = {
    name: f"10.62.0.{number}"
    for name, number in zip((*EDGES, *STORES, NAMES, CALLER, CALLEE), (11, 12, 13, 21, 22, 23, 31, 41, 51), strict=True)
}
SWITCH, ISLAND = "br0", "br1"
MASTER_PORT, REPLICA_PORT, SENTINEL_PORT = 6379, 6380, 26379
ACCOUNTS = 30
BOUND_S = 30.0
SECRET = b"the key all nodes share, 32 byte"
ZONE = """$ORIGIN sip.example.
$TTL 5
@ IN SOA ns hostmaster 1 3600 600 86400 5
@ IN NS ns
ns IN A {names}
{services}
{hosts}
"""
NSD = """
server:
  ip-address: {address}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: ""
  xfrdfile: ""
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  database: ""
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: sip.example
  zonefile: "{folder}/sip.zone"
"""
POLICY = """
[[accounts]]
id = "{refusing}"
caps_base = 1000
calls_base = 1000
store_away = "refuse"

[[accounts]]
id = "{local}"
caps_base = 1000
calls_base = 1000
store_away = "local"

[[ingress]]
id = "callers"
sources = ["{caller}"]
trusted = true
account_header = "X-Account"

[[egress]]
id = "callee"
uri = "sip:{callee}:5070"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["callee"]
"""


class Kind(StrEnum):
    """How the store is put up."""

    CLUSTER = "cluster"
    SENTINEL = "sentinel"


class Hosts(Network):
    """All of them, and what runs on them."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        super().__init__(folder)
        self.kind = kind
        self.edges: dict[str, Process] = {}
        self.servers: dict[tuple[str, int], Process] = {}
        """By host and port."""
        self._starts: Counter[str] = Counter()
        self.void = 0
        """Records of the last look that do not stand."""

    # -- wires -----------------------------------------------------------------------------------------------------

    def lay(self) -> None:
        """Namespaces, the switch, addresses."""
        sweep()
        for host in ("lan", *ADDRESSES):
            run(ip(), "netns", "add", self.name(host))
            self._made.append(self.name(host))
            self._in(host, "link", "set", "lo", "up")
        for switch in (SWITCH, ISLAND):
            self._in("lan", "link", "add", switch, "type", "bridge")
            self._in("lan", "link", "set", switch, "up")
        for host, address in ADDRESSES.items():
            self._in("lan", "link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", self.name(host))
            self._in("lan", "link", "set", host, "master", SWITCH)
            self._in("lan", "link", "set", host, "up")
            self._in(host, "link", "set", "eth0", "up")
            self._address(host, "eth0", f"{address}/24")

    def part(self, *hosts: str) -> None:
        """These hosts are on an island: they reach each other and nobody else."""
        for host in hosts:
            self._in("lan", "link", "set", host, "master", ISLAND)

    def join(self, *hosts: str) -> None:
        """Back among the others."""
        for host in hosts:
            self._in("lan", "link", "set", host, "master", SWITCH)

    # -- programs --------------------------------------------------------------------------------------------------

    def program(self, host: str, *words: str) -> Process:
        """Anything that runs there until the end."""
        self._starts[host] += 1
        process = Process([*self.enter(host), *words], self.folder / f"{host}-{self._starts[host]}.log")
        # Nobody reads what it prints, and it must never wait for that.
        assert process.process.stdout is not None
        threading.Thread(target=process.process.stdout.read, daemon=True).start()
        self._running.append(process)
        return process

    def cli(self, host: str, port: int, *words: str) -> str:
        """What redis-cli says there."""
        command = [*self.enter(host), "redis-cli", "-h", ADDRESSES[host], "-p", str(port), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BOUND_S)
        return done.stdout.strip()

    def serve_names(self) -> None:
        """sip.example: the three edges, each as likely as the others."""
        services = "\n".join(f"_sip._udp IN SRV 10 10 5060 {edge}" for edge in EDGES)
        hosts = "\n".join(f"{edge} IN A {ADDRESSES[edge]}" for edge in EDGES)
        text = ZONE.format(names=ADDRESSES[NAMES], services=services, hosts=hosts)
        (self.folder / "sip.zone").write_text(text)
        (self.folder / "nsd.conf").write_text(NSD.format(address=ADDRESSES[NAMES], folder=self.folder))
        nsd = shutil.which("nsd") or "/usr/sbin/nsd"
        self.program(NAMES, nsd, "-d", "-c", str(self.folder / "nsd.conf"))

    def start_server(self, host: str, port: int) -> None:
        """A Redis server, as it was put up or as it was before it was killed."""
        home = self.folder / f"{host}-{port}"
        home.mkdir(exist_ok=True)
        words = ["redis-server", "--port", str(port), "--bind", ADDRESSES[host], "--protected-mode", "no"]
        words += ["--dir", str(home), "--save", "", "--appendonly", "yes"]
        if self.kind is Kind.CLUSTER:
            words += ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]
            words += ["--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"]
        else:
            # A master that nobody follows any more has been replaced: it must take no writes (docs/deployment.md).
            words += ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2", "--repl-diskless-sync-delay", "0"]
            if host != STORES[0]:
                words += ["--replicaof", ADDRESSES[STORES[0]], str(port)]
        self.servers[host, port] = self.program(host, *words)
        until(lambda: self.cli(host, port, "ping") == "PONG", what=f"the server of {host}", bound_s=BOUND_S)

    def start_stores(self) -> str:
        """All servers, joined; the URL for edges."""
        ports = (MASTER_PORT, REPLICA_PORT) if self.kind is Kind.CLUSTER else (MASTER_PORT,)
        for host in STORES:
            for port in ports:
                self.start_server(host, port)
        if self.kind is Kind.CLUSTER:
            return self._join_cluster()
        for host in STORES[1:]:
            until(
                lambda host=host: "master_link_status:up" in self.cli(host, MASTER_PORT, "info", "replication"),
                what=f"{host} to follow", bound_s=BOUND_S,
            )  # fmt: skip
        return self._watch_by_sentinels()

    def _join_cluster(self) -> str:
        places = [f"{ADDRESSES[host]}:{port}" for port in (MASTER_PORT, REPLICA_PORT) for host in STORES]
        command = ["redis-cli", "--cluster", "create", *places, "--cluster-replicas", "1", "--cluster-yes"]
        done = subprocess.run(
            [*self.enter(CALLER), *command], capture_output=True, text=True, check=False, timeout=BOUND_S
        )
        assert "All 16384 slots covered" in done.stdout, done.stdout[-2000:]
        for host, port in self.servers:
            until(
                lambda host=host, port=port: "cluster_state:ok" in self.cli(host, port, "cluster", "info")
                and self.cli(host, port, "cluster", "nodes").count("slave ") == len(STORES),
                what=f"the cluster to be whole for {host}:{port}", bound_s=BOUND_S,
            )  # fmt: skip
            if "role:slave" in self.cli(host, port, "info", "replication"):
                until(
                    lambda host=host, port=port: "master_link_status:up" in self.cli(host, port, "info", "replication"),
                    what=f"{host}:{port} to follow", bound_s=BOUND_S,
                )  # fmt: skip
        return "redis+cluster://" + ",".join(f"{ADDRESSES[host]}:{MASTER_PORT}" for host in STORES)

    def _watch_by_sentinels(self) -> str:
        for host in STORES:
            path = self.folder / f"{host}-sentinel.conf"
            path.write_text(
                f"port {SENTINEL_PORT}\nbind {ADDRESSES[host]}\nprotected-mode no\ndir {self.folder}\n"
                f"sentinel monitor main {ADDRESSES[STORES[0]]} {MASTER_PORT} 2\n"
                "sentinel down-after-milliseconds main 2000\nsentinel failover-timeout main 4000\n"
            )
            self.program(host, "redis-server", str(path), "--sentinel")
        for host in STORES:
            until(
                lambda host=host: ",slaves=2,sentinels=3" in self.cli(host, SENTINEL_PORT, "info", "sentinel"),
                what=f"the sentinel of {host} to know all", bound_s=BOUND_S,
            )  # fmt: skip
        return "redis+sentinel://" + ",".join(f"{ADDRESSES[host]}:{SENTINEL_PORT}" for host in STORES) + "/main"

    def masters(self) -> dict[str, int]:
        """Host -> port of the masters among the servers that run, as the sentinels say where there are any; of several
        on one host any."""
        if self.kind is Kind.SENTINEL:
            words = ("sentinel", "get-master-addr-by-name", "main")
            said = Counter(self.cli(host, SENTINEL_PORT, *words).partition("\n")[0] for host in STORES)
            most = said.most_common(1)[0][0]
            return {host: MASTER_PORT for host in STORES if ADDRESSES[host] == most}
        return {
            host: port
            for (host, port), process in self.servers.items()
            if process.process.poll() is None and "role:master" in self.cli(host, port, "info", "replication")
        }

    def start_edge(self, edge: str, store: str) -> None:
        """`edge run`, the first time or again."""
        state = self.folder / edge
        if not state.exists():
            state.mkdir(mode=0o700)
            (state / "record-route.secret").write_bytes(SECRET)
        refusing, local = f"acc00..acc{ACCOUNTS // 2 - 1:02}", f"acc{ACCOUNTS // 2:02}..acc{ACCOUNTS - 1:02}"
        policy = self.folder / "policy.toml"
        policy.write_text(
            POLICY.format(refusing=refusing, local=local, caller=ADDRESSES[CALLER], callee=ADDRESSES[CALLEE])
        )
        words = [sys.executable, "-P", "-m", "edge", "run", "--policy", str(policy), "--node", edge, "--redis", store]
        words += ["--listen", f"udp:{ADDRESSES[edge]}:5060", "--state", str(state), "--metrics", "127.0.0.1:9464"]
        words += ["--log", "json", "--drain-s", "1", "--lease-s", "9", "--renew-s", "3", "--takeover-s", "6"]
        words += ["--max-duration-s", "30"]
        self.edges[edge] = self.program(edge, *words)

    def edges_know_each_other(self) -> None:
        """Every edge has seen all three."""
        for edge in EDGES:
            until(lambda edge=edge: '"live":"edge1 edge2 edge3"' in self.log_of(edge), what=f"{edge} to see all",
                  bound_s=BOUND_S)  # fmt: skip

    def log_of(self, edge: str) -> str:
        return self.edges[edge].log.read_text(errors="replace")

    def kill(self, process: Process) -> None:
        """SIGKILL, and its children with it: the host's power is cut."""
        pids = [process.process.pid]
        for pid in pids:
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += [int(child) for child in path.read_text().split()]
        subprocess.run([*as_root(), "kill", "-9", *map(str, pids)], check=False, capture_output=True)
        process.process.wait(BOUND_S)

    # -- what is left ----------------------------------------------------------------------------------------------

    def records(self) -> list[dict]:
        """Of all edges, those that stand; `void` says how many do not (docs/cdr.md)."""
        found, self.void = [], 0
        for edge in EDGES:
            folder = self.folder / edge / "cdr"
            lines = [
                json.loads(line)
                for path in (*sorted(folder.glob("cdr-*.jsonl")), folder / "chain.jsonl")
                for line in path.read_bytes().rpartition(b"\n")[0].splitlines()
            ]
            void = {line["was"] for line in lines if line.get("kind") == "void"}
            records = [line for line in lines if "call_id" in line]
            found += [record for record in records if record["uid"] not in void]
            self.void += sum(record["uid"] in void for record in records)
        return found

    def books(self, store: str) -> dict[str, list[int]]:
        """Holders that hold anything; one entry that says so where the store cannot be asked."""
        try:
            found = json.loads(self.ask(CALLER, str(PEERS / "books_of.py"), store))
        except (AssertionError, ValueError, subprocess.TimeoutExpired) as fault:
            return {"the store cannot be asked": [str(fault)[-200:]]}  # type: ignore[list-item]
        return {name: figures for name, figures in found.items() if any(figures)}


def judge(tries: dict[str, dict], records: list[dict]) -> dict[str, object]:
    """Records beside what callers heard: every try that was heard of has one record, none has two."""
    by_call = Counter(record["call_id"] for record in records)
    uids = Counter(record["uid"] for record in records)
    heard = {call_id for call_id, tried in tries.items() if tried["status"]}
    answered = {record["call_id"] for record in records if record["outcome"] == "answered"}
    talked = {call_id for call_id, tried in tries.items() if tried["status"] == 200 and "late" not in tried}
    return {
        "tries": len(tries),
        "heard_of": len(heard),
        "records": len(records),
        "missing": sorted(heard - set(by_call)),
        "twice": sorted(call_id for call_id, count in by_call.items() if count > 1),
        "uid_twice": sorted(uid for uid, count in uids.items() if count > 1),
        "of_nobody": sorted(set(by_call) - set(tries)),
        "talked_but_not_on_record": sorted(talked - answered),
        "lost": sum(1 for record in records if record.get("lost")),
        "adopted": sum(1 for record in records if record.get("adopted_from")),
        "degraded": sum(1 for record in records if record.get("degraded")),
        "reasons": dict(Counter(record["reason"] for record in records if record.get("reason"))),
    }


@contextlib.contextmanager
def three_hosts(folder: Path, kind: Kind) -> Iterator[Hosts]:
    """All of it, gone when the block ends."""
    hosts = Hosts(folder, kind)
    try:
        hosts.lay()
        yield hosts
    finally:
        hosts.close()


def show(folder: Path, kind: Kind, *, rate: float, talk_s: float, phase_s: float, say) -> dict[str, object]:
    """The whole piece: an edge killed and back, a master killed and back, a partition and its end. `phase_s`: how long
    callers call in each phase. Returns what callers saw, phase by phase, and what was left."""
    with three_hosts(folder, kind) as hosts:
        hosts.serve_names()
        store = hosts.start_stores()
        for edge in EDGES:
            hosts.start_edge(edge, store)
        hosts.edges_know_each_other()
        callee = hosts.start(CALLEE, str(PEERS / "patient_agents.py"), "callee", ADDRESSES[CALLEE], "5070")
        callee.wait_for("ready")
        words = [ADDRESSES[CALLER], "sip.example", ADDRESSES[NAMES], str(rate), str(talk_s), str(ACCOUNTS)]
        caller = hosts.start(CALLER, str(PEERS / "srv_callers.py"), *words)
        caller.wait_for("ready")
        turn = threading.Event()

        def phase(name: str) -> None:
            say(f"{kind}: {name}")
            caller.say(f"phase {name}")
            caller.wait_for(f"phase {name}")

        def last() -> None:
            turn.wait(phase_s)

        phase("whole")
        last()
        phase("edge2 killed")
        hosts.kill(hosts.edges["edge2"])
        last()
        phase("edge2 back")
        hosts.start_edge("edge2", store)
        until(lambda: "edge.started" in hosts.log_of("edge2"), what="edge2 to start", bound_s=60)
        last()
        masters = hosts.masters()
        host = "store2" if "store2" in masters else next(iter(masters))
        phase(f"master of {host} killed")
        hosts.kill(hosts.servers[host, masters[host]])
        last()
        phase("its server back")
        hosts.start_server(host, masters[host])
        last()
        alone = next(name for name in hosts.masters() if name != host or kind is Kind.SENTINEL)
        phase(f"edge1 and {alone} parted")
        hosts.part("edge1", alone)
        last()
        phase("joined")
        hosts.join("edge1", alone)
        last()
        caller.say("stop")
        began = time.monotonic()
        said = caller.last_words(bound_s=120)
        tries = said["tries"]
        until(lambda: not hosts.books(store), what="the last lease", bound_s=90)
        leases_s = time.monotonic() - began
        until(
            lambda: {call for call, tried in tries.items() if tried["status"]}
            <= {record["call_id"] for record in hosts.records()},
            what="every record", bound_s=60,
        )  # fmt: skip
        found = judge(tries, hosts.records())
        found["void"] = hosts.void
        found["everything_at_rest_after_s"] = round(leases_s, 1)
        found["escaped"] = sum(hosts.log_of(edge).count("core.escaped") for edge in EDGES)
        spread = Counter(tried["edge"] for tried in tries.values() if tried["phase"] == "whole")
        return {
            "kind": str(kind),
            "phases": said["phases"][1:],
            "callers": said["counts"],
            "spread": dict(spread),
            **found,
        }
