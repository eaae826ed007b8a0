"""Hosts of their own: network namespaces joined by bad wires, all of it gone when the block ends.

    caller ── edge ──┬── first
                     └── second

Each line is two pairs of veth interfaces whose inner ends stand in one more namespace, where `peers/impaired_wire.py`
carries the frames across. Making namespaces takes root; without it, and without a sudo that asks for no password, the
test fails with a sentence that says so.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parent / "peers"
HOSTS = {"caller": "10.61.1.2", "first": "10.61.2.2", "second": "10.61.3.2"}
EDGE = "10.61.1.1"
"""The edge's address toward the caller; the trunks have a route to it."""
BOUND_S = 20.0
_MARK = re.compile(r"tg-(\d+)-")


def as_root() -> list[str]:
    """What to put before a command that needs root."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    pytest.fail("network namespaces take root, or a sudo that asks for no password: start this test with one of them")


def run(*words: str) -> str:
    """A command as root; its output. Fails with what it said."""
    done = subprocess.run([*as_root(), *words], capture_output=True, text=True, check=False, timeout=BOUND_S)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()}"
    return done.stdout


def ip() -> str:
    found = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
    assert found is not None, "iproute2 is not there: scripts/test acceptance installs it"
    return found


class Process:
    """Something that runs in a namespace and says lines."""

    def __init__(self, words: list[str], log: Path, *, env: dict[str, str] | None = None) -> None:
        self._errors = log.open("ab")
        self.log = log
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, env=env
        )

    def wait_for(self, line: str) -> None:
        """Reads until this line."""
        assert self.process.stdout is not None
        for said in self.process.stdout:
            if said.strip() == line:
                return
        raise AssertionError(f"it ended without having said {line!r}: {self.log.read_text(errors='replace')[-2000:]}")

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def last_words(self, bound_s: float = BOUND_S) -> dict:
        """Its input ends; the JSON it says last."""
        output, _ = self.process.communicate(timeout=bound_s)
        self._errors.close()
        assert self.process.returncode == 0, self.log.read_text(errors="replace")[-2000:]
        return json.loads(output.splitlines()[-1])

    def stop(self) -> None:
        if self.process.poll() is None:
            # Behind sudo it is root's: then root ends it, by its id.
            subprocess.run([*as_root(), "kill", "-9", str(self.process.pid)], capture_output=True, check=False)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(BOUND_S)
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class Network:
    """The namespaces of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = f"tg-{os.getpid()}-"
        self._running: list[Process] = []
        self._made: list[str] = []
        self.wires: Process

    def name(self, host: str) -> str:
        return self.mark + host

    def open(self, *, seed: int, lost: float, doubled: float, held: float) -> None:
        """Namespaces, interfaces, addresses, routes; then the wires, with so many of a hundred frames impaired."""
        sweep()
        for host in ("wire", "edge", *HOSTS):
            run(ip(), "netns", "add", self.name(host))
            self._made.append(self.name(host))
            self._in(host, "link", "set", "lo", "up")
        ends = []
        for number, (host, address) in enumerate(HOSTS.items(), 1):
            near, far = f"e{number}", f"h{number}"
            self._veth("edge", f"edge{number}", near)
            self._veth(host, "edge", far)
            self._address("edge", f"edge{number}", f"10.61.{number}.1/24")
            self._address(host, "edge", f"{address}/24")
            self._in(host, "route", "add", "default", "via", f"10.61.{number}.1")
            ends.append(f"{host}={near}:{far}")
        words = [str(seed), str(lost), str(doubled), str(held), *ends]
        self.wires = self.start("wire", str(PEERS / "impaired_wire.py"), *words, needs_root=True)
        self.wires.wait_for("ready")

    def _veth(self, host: str, interface: str, inner: str) -> None:
        """A pair: one end in the host, the other where the wires are."""
        peer = ("peer", "name", inner, "netns", self.name("wire"))
        self._in(host, "link", "add", interface, "type", "veth", *peer)
        self._in(host, "link", "set", interface, "up")
        self._in("wire", "link", "set", inner, "up")

    def _address(self, host: str, interface: str, address: str) -> None:
        self._in(host, "address", "add", address, "dev", interface)

    def _in(self, host: str, *words: str) -> None:
        run(ip(), "-n", self.name(host), *words)

    def enter(self, host: str, *, needs_root: bool = False) -> list[str]:
        """What to put before a command that is to run there, as whoever started the tests."""
        words = [*as_root(), ip(), "netns", "exec", self.name(host)]
        if os.geteuid() != 0 and not needs_root:
            words += ["setpriv", f"--reuid={os.getuid()}", f"--regid={os.getgid()}", "--clear-groups"]
        return words

    def start(self, host: str, *words: str, needs_root: bool = False) -> Process:
        """A Python program in this namespace."""
        command = [*self.enter(host, needs_root=needs_root), sys.executable, "-P", *words]
        process = Process(command, self.folder / f"{host}-{len(self._running)}.log")
        self._running.append(process)
        return process

    def ask(self, host: str, *words: str) -> str:
        """What a Python program there prints."""
        command = [*self.enter(host), sys.executable, "-P", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BOUND_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        for process in reversed(self._running):
            process.stop()
        for name in self._made:
            subprocess.run([*as_root(), ip(), "netns", "del", name], capture_output=True, check=False)


def sweep() -> None:
    """Namespaces that tests left which were killed: those whose process is no more."""
    for line in run(ip(), "netns", "list").splitlines():
        found = _MARK.match(line)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            run(ip(), "netns", "del", line.split()[0])


def end_in_order(process: Process) -> int:
    """SIGTERM, as an operator ends an edge; its exit status. `ip netns exec` becomes the command: the id is its."""
    subprocess.run([*as_root(), "kill", f"-{signal.SIGTERM.value}", str(process.process.pid)], check=True)
    drained = threading.Thread(target=process.process.communicate)
    drained.start()
    drained.join(BOUND_S)
    return process.process.wait(BOUND_S)


@contextlib.contextmanager
def network(folder: Path, *, seed: int, lost: float, doubled: float, held: float) -> Iterator[Network]:
    """All of it, gone when the block ends, however it ends."""
    made = Network(folder)
    try:
        made.open(seed=seed, lost=lost, doubled=doubled, held=held)
        yield made
    finally:
        made.close()
