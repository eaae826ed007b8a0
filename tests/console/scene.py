"""A store, an edge under load and its admin process, for the tests of the console."""

import json
import re
import subprocess
import sys
from pathlib import Path

from lab import BOUND_S, Edge, Sipp, Store, free_port, until

HERE = Path(__file__).resolve().parent
HOSTILE_CALL = "<b>hostile</b>"
"""Begins the Call-ID of one caller (RFC 3261 §25.1: a word may hold angle brackets)."""


def edge_command(*words: str) -> str:
    """What `edge WORDS` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Scene:
    """A store, an edge and its admin process, and callers that ask for more than they may."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)
        self.runs: list[Sipp] = []
        self.folder = folder
        ports = {"PORT_A": str(free_port()), "PORT_B": str(free_port())}
        self.policy = re.sub("PORT_[AB]", lambda found: ports[found[0]], (HERE / "policy.toml").read_text())
        self.bring_in(self.policy.replace("calls_base = 60", "calls_base = 50"), "first")
        self.bring_in(self.policy, "more calls for acme")
        options = ("--admin", "127.0.0.1:0", "--log", "json", "--node", "n1", "--drain-s", "0")
        # A machine that is busy with other tests is no overload of these few calls, and no store that is away.
        options += ("--overload-wait-ms", "0", "--decision-deadline-ms", "2000")
        self.edge = Edge(Path("store"), folder / "state", store_url=self.store.url, options=options)
        self.token = edge_command("token", "create", "night", "--role", "admin", "--redis", self.store.url).split()[-1]
        self.address = until(self._admin_address, what="the admin process", bound_s=2 * BOUND_S)
        scenario = "uas_answer_forever__200"
        self._sipp(scenario, "-i", "127.0.0.1", "-p", ports["PORT_A"])
        self._caller("127.0.0.1", "+33199000001", rate=24, hold_ms=1_500)
        self._caller("127.0.0.2", "+33145000002", rate=1, hold_ms=500)
        self._caller("127.0.0.1", "+33199000003", rate=1, hold_ms=500, call_id=HOSTILE_CALL)

    def bring_in(self, policy: str, why: str) -> None:
        """A policy document into the store."""
        path = self.folder / "policy.toml"
        path.write_text(policy)
        edge_command("policy", "import", str(path), "--redis", self.store.url, "--by", "test", "--reason", why)

    def generation(self) -> int:
        """Of the policy in force, by the command line."""
        return json.loads(edge_command("policy", "history", "--redis", self.store.url, "--json"))[0]["generation"]

    def _admin_address(self) -> str:
        found = re.search(r'"event":"admin.started","address":"([^"]+)"', self.edge.log.read_text())
        return found[1] if found else ""

    def _caller(self, source: str, cli: str, *, rate: int, hold_ms: int, call_id: str = "") -> None:
        words = [self.edge.address, "-i", source, "-p", str(free_port(source)), "-r", str(rate), "-d", str(hold_ms)]
        words += ["-m", "100000", "-l", "1000", *(["-cid_str", f"{call_id}%u@lab"] if call_id else [])]
        self._sipp("uac_invite__200", *words, cli=cli, called="+33199001234")

    def _sipp(self, scenario: str, *words: str, **keys: str) -> None:
        self.runs.append(Sipp(scenario, self.folder, list(words), keys=keys, bound_s=600, trace=False))

    def stop(self) -> None:
        """Everything that was started; the edge first, while there is somebody to answer its BYEs."""
        if hasattr(self, "edge"):
            self.edge.stop()
        for run in self.runs:
            run.stop()
        self.store.stop()
