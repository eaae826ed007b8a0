"""An edge between hosts of their own, over wires that lose, double and hold back what they carry; one is cut."""

import json
from pathlib import Path

import pytest
from lab import StoreView, until
from namespaces import EDGE, HOSTS, PEERS, Network, end_in_order, network

from limits.embedded import socket_path

CALLS, RATE, CUT_AFTER = 120, 15, 40
POLICY = """
[[accounts]]
id = "acme"
caps_base = 1000
calls_base = 1000

[[ingress]]
id = "caller"
sources = ["10.61.1.2"]
account = "acme"

[[egress]]
id = "first"
uri = "sip:10.61.2.2:5070"
silence_s = 2.0
down_after = 3
calls = 500

[[egress]]
id = "second"
uri = "sip:10.61.3.2:5070"
silence_s = 3.0
calls = 500

[[routes]]
id = "all"
prefixes = [""]
trunks = ["first", "second"]
"""
ASK = (
    "import urllib.request as u; "
    "print(u.urlopen(u.Request('http://127.0.0.1:9464/metrics', headers={'Accept': 'text/plain'})).read().decode())"
)


@pytest.fixture
def hosts(tmp_path: Path):
    with network(tmp_path, seed=20_261_126, lost=5, doubled=5, held=10) as made:
        yield made


class Edge:
    """`edge run` in its namespace, with a store of its own."""

    def __init__(self, hosts: Network) -> None:
        self.hosts = hosts
        policy = hosts.folder / "policy.toml"
        policy.write_text(POLICY)
        self.state = hosts.folder / "state"
        words = [
            "-m",
            "edge",
            "run",
            "--policy",
            str(policy),
            "--listen",
            f"udp:{EDGE}:5060",
            "--state",
            str(self.state),
        ]
        words += ["--metrics", "127.0.0.1:9464", "--max-duration-s", "60", "--drain-s", "1", "--log-level", "warning"]
        self.process = hosts.start("edge", *words)
        until(lambda: self.metrics(), what="the edge's metrics")
        self.store = StoreView(socket_path(self.state / "store"))

    def metrics(self) -> dict[str, float]:
        """Each metric by its name and label; nothing while the page is not there."""
        try:
            page = self.hosts.ask("edge", "-c", ASK)
        except AssertionError:
            assert self.process.process.poll() is None, self.process.log.read_text()
            return {}
        lines = [line for line in page.splitlines() if line and not line.startswith("#")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    def metric(self, name: str, label: str = "") -> float:
        found = [value for key, value in self.metrics().items() if key.startswith(name + "{") and label in key]
        assert len(found) == 1, name
        return found[0]

    def cdrs(self) -> list[dict]:
        lines = [line for path in sorted((self.state / "cdr").glob("cdr-*.jsonl")) for line in path.open()]
        return [record for record in map(json.loads, lines) if "call_id" in record]


def test_calls_over_bad_wires_and_a_cut_trunk(hosts: Network, capfd):
    """5 % of the packets lost, 5 % doubled, 10 % late; one trunk cut in the middle of it: every attempt has its one
    record, no call stays, no slot is kept, and nearly all callers talk."""
    callees = [
        hosts.start(name, str(PEERS / "patient_agents.py"), "callee", HOSTS[name], "5070") for name in list(HOSTS)[1:]
    ]
    for callee in callees:
        callee.wait_for("ready")
    edge = Edge(hosts)
    words = ["caller", HOSTS["caller"], EDGE, str(CALLS), str(RATE)]
    caller = hosts.start("caller", str(PEERS / "patient_agents.py"), *words)
    caller.wait_for(f"called {CUT_AFTER}")
    hosts.wires.say("cut first")
    ended = caller.last_words(bound_s=120)

    until(lambda: edge.metric("edge_calls_live") == 0, what="the last call to end", bound_s=60)
    until(lambda: edge.store.all_leases() == 0, what="every slot to be given back", bound_s=60)
    until(lambda: len(edge.cdrs()) >= CALLS, what="every record")
    cdrs = edge.cdrs()
    assert len(cdrs) == len({cdr["uid"] for cdr in cdrs}) == len({cdr["call_id"] for cdr in cdrs}) == CALLS
    assert edge.metric("edge_leases_live") == 0
    assert edge.metric("edge_escaped_total") == 0
    answered = [cdr for cdr in cdrs if cdr["outcome"] == "answered"]
    assert len(answered) >= CALLS * 0.95
    assert edge.metric("edge_trunk_state", 'trunk="first"') < 3
    after = [cdr for cdr in answered if cdr["egress_trunk"] == "second"]
    assert len(after) >= (CALLS - CUT_AFTER) * 0.9
    assert end_in_order(edge.process) == 0

    wires = hosts.wires.last_words()
    assert all(wire["lost"] and wire["doubled"] and wire["held"] for wire in wires.values())
    assert wires["first"]["cut"] > 0
    with capfd.disabled():
        print(
            f"\nbad wires: {json.dumps({'calls': CALLS, 'answered': len(answered), 'callers': ended, 'wires': wires})}"
        )
