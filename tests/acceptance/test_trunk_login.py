"""A carrier's registrar and proxy, Kamailio: registration, refresh on the way, calls that prove who we are, the end."""

import subprocess
from pathlib import Path

import pytest
from lab import RETAIL, Edge, Sipp, Store, free_port, options_status, stop, udp_port_is_held, until

PEERS = Path(__file__).resolve().parent / "peers"
CARRIER = "127.0.0.40"
POLICY = """
[[accounts]]
id = "retail"
caps_base = 100

[[ingress]]
id = "retail"
sources = ["127.0.0.10"]
account = "retail"

[[egress]]
id = "carrier"
uri = "sip:127.0.0.40:@PORT@"
login = { username = "tg", password_file = "@PASSWORD@", realm = "carrier.example" }
registration = { address = "sip:tg@carrier.example", expires_s = 60 }

[[routes]]
id = "all"
prefixes = [""]
trunks = ["carrier"]
"""


class Carrier:
    """Kamailio, a callee behind it, and an edge that registers there."""

    def __init__(self, folder: Path, algorithm: str, password: str) -> None:
        self.folder, self.callee = folder, free_port()
        self.port = free_port(CARRIER)
        edge_port = free_port()
        text = (PEERS / "kamailio_registrar.cfg").read_text()
        words = {"HOST": CARRIER, "PORT": self.port, "EDGE": edge_port, "NEXT": f"127.0.0.1:{self.callee}"}
        for name, value in {**words, "ALGORITHM": algorithm}.items():
            text = text.replace(f"@{name}@", str(value))
        config = folder / "kamailio.cfg"
        config.write_text(text)
        command = ["/usr/sbin/kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(folder)]
        with (folder / "kamailio.log").open("wb") as log:
            self.kamailio = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.runs: list[Sipp] = []
        until(lambda: self.status == 404, what="Kamailio, where nobody is registered")
        self.store = Store(folder)
        secret = folder / "password"
        secret.write_text(password)
        policy = folder / "policy.toml"
        policy.write_text(POLICY.replace("@PORT@", str(self.port)).replace("@PASSWORD@", str(secret)))
        options = ("--drain-s", "1", "--log", "json")
        self.edge = Edge(policy, folder / "state", store_url=self.store.url, port=edge_port, options=options)

    @property
    def status(self) -> int:
        """200: somebody is registered there, 404: nobody."""
        return options_status(self.port, host=CARRIER, bound_s=0.2)

    def call(self) -> tuple[Sipp, Sipp]:
        """A whole call through edge and Kamailio."""
        uas = Sipp(
            "uas_answer__200", self.folder, ["-i", "127.0.0.1", "-p", str(self.callee), "-m", "1"], keys={}, bound_s=15
        )
        self.runs.append(uas)
        until(lambda: udp_port_is_held(self.callee), what="the callee to listen")
        arguments = [self.edge.address, "-i", RETAIL, "-p", str(free_port(RETAIL)), "-m", "1"]
        keys = {"called": "+33145000009", "cli": "+33612345678"}
        uac = Sipp("uac_invite__200", self.folder, arguments, keys=keys, bound_s=15)
        self.runs.append(uac)
        return uac, uas

    def stop(self) -> None:
        for run in self.runs:
            run.stop()
        if hasattr(self, "edge"):
            self.edge.stop()
        if hasattr(self, "store"):
            self.store.stop()
        stop(self.kamailio)


@pytest.fixture
def carrier(tmp_path, request):
    made = Carrier(tmp_path, *request.param)
    try:
        yield made
    finally:
        made.stop()


@pytest.mark.parametrize("carrier", [("MD5", "s3cret"), ("SHA-256", "s3cret\n")], indirect=True)
def test_a_call_over_a_trunk_that_asks_for_everything(carrier: Carrier):
    """REGISTER, INVITE and BYE are challenged and proved; the callee sees one INVITE with the number that proves it; at
    the end nobody is registered any more."""
    until(lambda: carrier.status == 200, what="the registration")
    uac, uas = carrier.call()
    uac.finish()
    uas.finish()
    (cdr,) = carrier.edge.wait_cdrs(uac.call, 1)
    assert (cdr["outcome"], cdr["egress_trunk"], cdr["release_side"]) == ("answered", "carrier", "ingress")
    assert uas.received("INVITE") == 1
    assert uas.seen("CSeq: 2 INVITE")
    assert uas.seen("CSeq: 4 BYE")
    assert not uac.seen("Proxy-Authenticate")
    until(lambda: carrier.store.all_leases() == 0, what="every lease to be given back")
    log = carrier.edge.log.read_text()
    assert '"to":"registered"' in log
    assert "s3cret" not in log
    assert carrier.edge.stop() == 0
    until(lambda: carrier.status == 404, what="the registration to be taken back")


@pytest.mark.parametrize("carrier", [("MD5", "qwertz99")], indirect=True)
def test_a_wrong_password_is_told_and_nobody_is_let_in(carrier: Carrier):
    """The caller hears 503 and nothing of passwords; the log says which trunk, and no secret."""
    until(lambda: "password refused 401" in carrier.edge.log.read_text(), what="the refusal of the registration")
    arguments = [carrier.edge.address, "-i", RETAIL, "-p", str(free_port(RETAIL)), "-m", "1"]
    keys = {"called": "+33145000009", "cli": "+33612345678"}
    uac = Sipp("uac_invite_all_trunks_fail__503", carrier.folder, arguments, keys=keys, bound_s=15)
    carrier.runs.append(uac)
    uac.finish()
    (cdr,) = carrier.edge.wait_cdrs(uac.call, 1)
    assert (cdr["reason"], cdr["candidates"]) == ("trunks_failed", [["carrier", 407]])
    assert not uac.seen("Proxy-Authenticate")
    log = carrier.edge.log.read_text()
    assert "trunk.login_refused" in log
    assert "qwertz99" not in log
