"""A real name server on loopback: NSD, with a zone that the test writes and may change."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

BOUND_S = 10.0
SOA = """@ 60 IN SOA ns.carrier.example. hostmaster.carrier.example. {serial} 3600 600 86400 {negative}
@ IN NS ns
ns IN A 127.0.0.1
"""
CONFIG = """
server:
  ip-address: 127.0.0.1@{port}
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
  name: carrier.example
  zonefile: "{folder}/carrier.zone"
"""


def free_port() -> int:
    """A port that nobody holds just now, neither over UDP nor over TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            with contextlib.suppress(OSError):
                tcp.bind(("127.0.0.1", port))
                return port


class NameServer:
    """Serves carrier.example."""

    def __init__(self, folder: Path, zone: str, *, negative_s: int = 5) -> None:
        self._folder, self._negative_s, self._serial = folder, negative_s, 1
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "nsd.conf").write_text(CONFIG.format(port=self.port, folder=folder))
        self.write(zone)

    def write(self, zone: str) -> None:
        """Another zone; in force after `start`."""
        self._serial += 1
        head = SOA.format(serial=self._serial, negative=self._negative_s)
        (self._folder / "carrier.zone").write_text("$ORIGIN carrier.example.\n$TTL 60\n" + head + zone)

    def start(self) -> None:
        """Ready when this returns."""
        nsd = shutil.which("nsd") or "/usr/sbin/nsd"
        with (self._folder / "nsd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [nsd, "-d", "-c", str(self._folder / "nsd.conf")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + BOUND_S
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "nsd.log").read_text()
            assert time.monotonic() < deadline, "the name server does not answer"

    def _answers(self) -> bool:
        query = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07carrier\x07example\x00\x00\x06\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.1)
            try:
                sock.connect(("127.0.0.1", self.port))
                sock.send(query)
                return sock.recv(512)[:2] == b"\x12\x34"
            except OSError:
                return False

    def stop(self) -> None:
        """Gone, with the processes it started."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(BOUND_S)
