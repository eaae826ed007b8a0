"""Whole calls over UDP, TCP and TLS, IPv4 and IPv6, by SIPp, baresip and Kamailio; and what goes wrong on the way."""

import contextlib
import re
import select
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest
from authority import Authority
from lab import BOUND_S, RETAIL, Lab, Sipp, free_port, options_status, stop, udp_port_is_held, until
from name_server import NameServer
from test_peers import PEERS, start_peer, told

POLICY = """
[[accounts]]
id = "retail"
caps_base = 1000
calls_base = 1000

[[ingress]]
id = "neighbours"
sources = ["127.0.0.0/24", "::1"]
account = "retail"

[[ingress]]
id = "proven"
tls_names = ["pbx.example"]
account = "retail"
"""
TRUNKS = {
    "udp": ("+331401", "sip:127.0.0.1:@;transport=udp", ""),
    "tcp": ("+331402", "sip:127.0.0.1:@;transport=tcp", ""),
    "tls": ("+331403", "sip:127.0.0.1:@;transport=tls", 'tls_names = ["callee.example"]'),
    "udp6": ("+331404", "sip:[::1]:@;transport=udp", ""),
    "tcp6": ("+331405", "sip:[::1]:@;transport=tcp", ""),
    "wrong-name": ("+331406", "sip:127.0.0.1:@;transport=tls", 'tls_names = ["other.example"]'),
    "named": ("+331407", "sip:carrier.example", ""),
    "tls6": ("+331409", "sip:[::1]:@;transport=tls", 'tls_names = ["callee.example"]'),
    "large": ("+331408", "sip:127.0.0.1:@", 'large_requests = "tcp"'),
}
"""Prefix of the called number, URI, and what else its entry says."""


class Transports(Lab):
    """A laboratory whose edge listens on every transport, with a trunk for each."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.authority.issue("edge.pem", "edge.example", "127.0.0.1", "::1")
        self.authority.issue("telephone.pem", "callee.example", "127.0.0.1", "::1")
        self.authority.issue("pbx.pem", "pbx.example")
        self.ports = {name: free_port() for name in TRUNKS}
        self.names = NameServer(folder, self._zone())
        self.names.start()
        try:
            super().__init__(folder)
        except BaseException:
            self.names.stop()
            raise

    def _zone(self) -> str:
        """The first server of the trunk is not there."""
        return f"""@ IN NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.carrier.example.
_sip._tcp IN SRV 1 0 {free_port()} one
_sip._tcp IN SRV 2 0 {self.ports["named"]} one
one IN A 127.0.0.1
"""

    def write_policy(self) -> None:
        text = POLICY
        for name, (prefix, uri, more) in TRUNKS.items():
            uri = uri.replace("@", str(self.ports[name]))
            text += f'\n[[egress]]\nid = "{name}"\nuri = "{uri}"\n{more}\n'
            text += f'\n[[routes]]\nid = "to-{name}"\nprefixes = ["{prefix}"]\ntrunks = ["{name}"]\n'
        self.policy.write_text(text)
        port = self.edge_port
        self.tls_port = port + 1
        four, six = f"127.0.0.1:{port}", f"[::1]:{port}"
        tls = (f"tls:127.0.0.1:{self.tls_port}", f"tls:[::1]:{self.tls_port}")
        listens = (f"tcp:{four}", f"udp:{six}", f"tcp:{six}", *tls)
        self._options = tuple(word for listen in listens for word in ("--listen", listen))
        self._options += ("--tls-certificates", str(self.folder / "edge.pem"), "--tls-ca", str(self.authority.ca))
        self._options += ("--dns", self.names.address, "--drain-s", "1", "--max-connections-per-peer", "40")

    def play(self, scenario: str, *arguments: str, keys: dict[str, str] | None = None) -> Sipp:
        run = Sipp(scenario, self.folder, ["-m", "1", *arguments], keys=keys or {}, bound_s=BOUND_S)
        self._runs.append(run)
        return run

    def callee(self, trunk: str, scenario: str = "uas_answer__200") -> Sipp:
        host = "::1" if trunk.endswith("6") else "127.0.0.1"
        mode = "u1" if trunk in ("udp", "udp6") else "t1"
        run = self.play(scenario, "-t", mode, "-i", host, "-p", str(self.ports[trunk]))
        until(lambda: is_held(self.ports[trunk], mode) or run.process.poll() is not None, what=f"{scenario} to listen")
        assert run.process.poll() is None, run.said()
        return run

    def caller(self, trunk: str, mode: str, scenario: str = "uac_invite__200", *, host: str = RETAIL) -> Sipp:
        edge = f"[::1]:{self.edge_port}" if ":" in host else self.edge.address
        keys = {"called": TRUNKS[trunk][0] + "0001", "cli": "+33612345678"}
        mine = (
            "-t",
            mode,
            "-max_socket",
            "100",
            "-i",
            host,
            "-p",
            str(free_port() if ":" in host else free_port(host)),
        )
        return self.play(scenario, *mine, edge, keys=keys)

    def stop(self) -> None:
        super().stop()
        self.names.stop()


def is_held(port: int, mode: str) -> bool:
    """Does somebody listen on this port?"""
    files = ("udp", "udp6") if mode[0] == "u" else ("tcp", "tcp6")
    rows = [line.split() for file in files for line in Path(f"/proc/net/{file}").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and (mode[0] == "u" or row[3] == "0A") for row in rows)


@pytest.fixture(scope="module")
def module_lab(tmp_path_factory):
    lab = Transports(tmp_path_factory.mktemp("transports"))
    try:
        yield lab
    finally:
        lab.stop()


# -- SIPp --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trunk", ["udp", "tcp", "udp6", "tcp6"])
@pytest.mark.parametrize(
    ("mode", "host"), [("u1", RETAIL), ("t1", RETAIL), ("tn", RETAIL), ("u1", "[::1]"), ("t1", "[::1]")]
)
def test_a_call_from_each_transport_to_each(lab: Transports, mode, host, trunk):
    """UDP, TCP on one connection, TCP on one for each call; IPv4 and IPv6; ACK and BYE find their way across."""
    uas = lab.callee(trunk)
    uac = lab.caller(trunk, mode, host=host)
    uac.finish()
    uas.finish()
    assert (lab.cdr(uac)["outcome"], lab.cdr(uac)["release_side"]) == ("answered", "ingress")
    lab.assert_no_lease_is_left()


@pytest.mark.parametrize("trunk", ["udp", "tcp"])
@pytest.mark.parametrize("mode", ["u1", "t1"])
def test_the_callee_hangs_up_across_transports(lab: Transports, mode, trunk):
    """The BYE of the callee reaches the caller by the connection of its INVITE."""
    uas = lab.callee(trunk, "uas_hangs_up__200")
    uac = lab.caller(trunk, mode, "uac_bye_from_callee__200")
    uac.finish()
    uas.finish()
    assert lab.cdr(uac)["release_side"] == "egress"
    lab.assert_no_lease_is_left()


def test_a_trunk_that_is_a_name(lab: Transports):
    """NAPTR to TCP, SRV to two servers, the first of which is not there: the second takes the call."""
    uas = lab.callee("named")
    uac = lab.caller("named", "u1")
    uac.finish()
    uas.finish()
    assert [tuple(one[:2]) for one in lab.cdr(uac)["candidates"]] == [("named", 503), ("named", 200)]


# -- baresip -----------------------------------------------------------------------------------------------------------

PAIRS = [("udp", "udp"), ("tcp", "tcp"), ("tls", "tls"), ("tls", "udp"), ("udp", "tls"), ("tcp", "tls")]
PAIRS += [("udp6", "udp6"), ("tcp6", "tcp6"), ("tcp6", "udp6"), ("tls6", "tls6"), ("tls6", "tcp6")]
"""Not from one family to the other: the edge carries no media, and baresip refuses media of the other one."""


def host_of(trunk: str) -> str:
    """As a URI prints it."""
    return "[::1]" if trunk.endswith("6") else "127.0.0.1"


@pytest.mark.parametrize(("ingress", "egress"), PAIRS)
def test_one_telephone_calls_another(lab: Transports, ingress, egress):
    """baresip on both sides, each on its transport, over IPv4 and IPv6; TLS with both ends verified."""
    before = len(lab.edge.cdrs())
    is_above = egress.startswith("tls")  # its TLS listens on the port above
    here = f"{host_of(egress)}:{lab.ports[egress] - is_above}"
    callee = start_peer(lab, "baresip", "baresip_pair.py", "callee", here, egress.strip("6"), lab.folder)
    try:
        until(lambda: is_held(lab.ports[egress], egress[0]), what="the callee to listen")
        port = lab.tls_port if ingress.startswith("tls") else lab.edge_port
        host = host_of(ingress)
        words = (f"{host}:{port}", f"{host}:{free_port()}", TRUNKS[egress][0] + "0001", ingress.strip("6"), lab.folder)
        caller = start_peer(lab, "baresip", "baresip_pair.py", "caller", *words)
        assert told(lab, caller) == {"call": "established"}
        assert told(lab, callee) == {"call": "answered"}
    finally:
        stop(callee)
    cdr = lab.edge.wait_cdrs("", before + 1)[-1]
    assert (cdr["outcome"], cdr["release_side"], cdr["egress_trunk"]) == ("answered", "ingress", egress)
    lab.assert_no_lease_is_left()


# -- Kamailio ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def kamailio(lab: Transports, certificate: str = "", **fill: object):
    """A Kamailio that relays, ready; with a certificate it speaks TLS and asks for one itself."""
    path = lab.folder / f"kamailio-{fill['PORT']}.cfg"
    text = (PEERS / "kamailio_trunk.cfg").read_text()
    fill |= {"CERTIFICATE": lab.folder / certificate, "CA": lab.authority.ca}
    for name, value in fill.items():
        text = text.replace(f"@{name}@", str(value))
    path.write_text(text)
    command = ["/usr/sbin/kamailio", "-f", str(path), "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(lab.folder)]
    command += ["-A", "WITH_TLS"] if certificate else []
    with path.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        host = str(fill["HOST"]).strip("[]")
        ready = (lambda: is_held(fill["PORT"], "t")) if ":" in host else (lambda: answers_options(fill["PORT"], host))
        until(lambda: ready() or process.poll() is not None, what="Kamailio")
        assert process.poll() is None, path.with_suffix(".log").read_text()
        yield
    finally:
        stop(process)


def answers_options(port: int, host: str) -> bool:
    return options_status(port, host=host, bound_s=0.2) == 200


@pytest.mark.parametrize("trunk", ["udp", "tcp", "tls", "udp6", "tcp6", "tls6"])
@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_call_to_a_downstream_kamailio(lab: Transports, trunk, ends):
    """The trunk is a record-routing proxy, over each transport and family, by TLS with both ends verified; its callee
    is behind it on UDP."""
    host = host_of(trunk)
    port = free_port()
    certificate = "telephone.pem" if trunk.startswith("tls") else ""
    uas_name, uac_name = {
        "caller": ("uas_answer__200", "uac_invite__200"),
        "callee": ("uas_hangs_up__200", "uac_bye_from_callee__200"),
    }[ends]
    with kamailio(lab, certificate, HOST=host, PORT=lab.ports[trunk], NEXT=f"{host}:{port}"):
        uas = lab.play(uas_name, "-t", "u1", "-i", host.strip("[]"), "-p", str(port))
        until(lambda: is_held(port, "u"), what="the callee to listen")
        uac = lab.caller(trunk, "t1" if ends == "caller" else "u1", uac_name)
        uac.finish()
        uas.finish()
    assert (lab.cdr(uac)["outcome"], lab.cdr(uac)["egress_trunk"]) == ("answered", trunk)
    lab.assert_no_lease_is_left()


@pytest.mark.parametrize("host", ["127.0.0.17", "[::1]"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_call_from_an_upstream_kamailio(lab: Transports, transport, host):
    """It record-routes and reaches the edge over each transport and family; both hang-ups cross. By TLS it is known by
    the name that its certificate proves."""
    port = free_port()
    certificate = "pbx.pem" if transport == "tls" else ""
    edge = "[::1]" if host == "[::1]" else "127.0.0.1"
    caller = RETAIL if edge == "127.0.0.1" else "::1"
    following = f"{edge}:{lab.tls_port if certificate else lab.edge_port};transport={transport}"
    with kamailio(lab, certificate, HOST=host, PORT=port, NEXT=following):
        for uas_name, uac_name in (
            ("uas_answer__200", "uac_invite__200"),
            ("uas_hangs_up__200", "uac_bye_from_callee__200"),
        ):
            uas = lab.callee("tcp", uas_name)
            keys = {"called": TRUNKS["tcp"][0] + "0001", "cli": "+33612345678"}
            mine = ("-t", "u1", "-i", caller, "-p", str(free_port()))
            uac = lab.play(uac_name, *mine, f"{host}:{port}", keys=keys)
            uac.finish()
            uas.finish()
            cdr = lab.cdr(uac)
            assert (cdr["outcome"], cdr["ingress_trunk"]) == ("answered", "proven" if certificate else "neighbours")
    lab.assert_no_lease_is_left()


# -- by hand: what goes wrong ------------------------------------------------------------------------------------------


class Caller:
    """A caller on a stream of its own, who can do what no stack would."""

    numbers = iter(range(1, 10_000))

    def __init__(self, sock: socket.socket, called: str) -> None:
        self.sock, self.called = sock, called
        self.call_id = f"by-hand-{next(self.numbers)}-x"
        self.buffer = b""

    def request(self, method: str = "INVITE", *, more: str = "", to: str = "", uri: str = "", cseq: int = 1) -> bytes:
        name, port = self.sock.getsockname()[:2]
        transport = "TLS" if isinstance(self.sock, ssl.SSLSocket) else "TCP"
        return (
            f"{method} {uri or f'sip:{self.called}@edge'} SIP/2.0\r\nVia: SIP/2.0/{transport} {name}:{port};"
            f"branch=z9hG4bK{self.call_id}{method}\r\n{more}Max-Forwards: 70\r\n"
            f"From: <sip:+33612345678@{name}>;tag=t\r\n"
            f"To: {to or f'<sip:{self.called}@edge>'}\r\nCall-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\n"
            f"Contact: <sip:x@{name}:{port};transport=tcp>\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    def status(self, *wanted: int) -> int:
        """The next final status, or one of those wanted; 0: the connection ended."""
        while True:
            match = re.search(rb"SIP/2\.0 (\d{3})[^\r]*\r\n.*?\r\n\r\n", self.buffer, re.DOTALL)
            if match:
                self.buffer, self.last = self.buffer[match.end() :], match.group()
                if int(match[1]) >= 200 or int(match[1]) in wanted:
                    return int(match[1])
                continue
            assert select.select([self.sock], [], [], BOUND_S)[0], "the edge says nothing"
            try:
                piece = self.sock.recv(65536)
            except ConnectionError:
                return 0
            if not piece:
                return 0
            self.buffer += piece


def dial(lab: Transports, host: str = "127.0.0.20") -> socket.socket:
    return socket.create_connection(("127.0.0.1", lab.edge_port), timeout=BOUND_S, source_address=(host, 0))


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_a_message_cut_into_single_bytes(lab: Transports):
    """Every byte in a segment of its own: the same call."""
    with dial(lab) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller = Caller(sock, "+33990000000")
        for byte in caller.request():
            sock.send(bytes([byte]))
        assert caller.status() == 404


def test_the_connection_of_a_caller_is_reset_in_mid_call(lab: Transports):
    """The call stands; the callee's BYE cannot be delivered and ends it all the same; no lease is left."""
    uas = lab.callee("udp", "uas_hangs_up__200")
    sock = dial(lab)
    caller = Caller(sock, TRUNKS["udp"][0] + "0001")
    sock.send(caller.request())
    assert caller.status() == 200
    to = re.search(rb"\r\nTo: ([^\r]*)", caller.last)[1].decode()
    target = re.search(rb"\r\nContact: <([^>]*)>", caller.last)[1].decode()
    recorded = [route.decode() for route in re.findall(rb"\r\nRecord-Route: ([^\r]*)", caller.last)]
    routes = "".join(f"Route: {route}\r\n" for route in reversed(recorded))
    sock.send(caller.request("ACK", more=routes, to=to, uri=target))
    until(lambda: uas.seen("ACK sip:"), what="the ACK")
    reset(sock)
    (cdr,) = lab.edge.wait_cdrs(caller.call_id, 1)
    assert (cdr["outcome"], cdr["release_side"]) == ("answered", "egress")
    lab.assert_no_lease_is_left()


def test_a_trunk_that_takes_the_connection_and_says_nothing(lab: Transports):
    """Half-open: silence leads to the end of the attempt within the trunk's time; nothing is left behind."""
    with socket.create_server(("127.0.0.1", lab.ports["tcp"])):
        uac = lab.caller("tcp", "u1", "uac_invite_all_trunks_fail__503")
        uac.finish()
    assert lab.cdr(uac)["candidates"][0][:2] == ["tcp", 408]
    lab.assert_no_lease_is_left()


def test_a_trunk_that_is_started_again_between_two_calls(lab: Transports):
    """Its old connection is dead; the next call does not fail for it."""
    for _ in range(2):
        uas = lab.callee("tcp")
        uac = lab.caller("tcp", "u1")
        uac.finish()
        uas.finish()
        assert lab.cdr(uac)["outcome"] == "answered"


def test_a_trunk_that_proves_another_name_gets_no_call(lab: Transports):
    """Nothing leaves before its name is proved."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(lab.folder / "telephone.pem")
    with socket.create_server(("127.0.0.1", lab.ports["wrong-name"])) as listening:
        uac = lab.caller("wrong-name", "u1", "uac_invite_all_trunks_fail__503")
        sock, _ = listening.accept()
        with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as secure:
            assert secure.recv(100) == b""
        uac.finish()
    assert lab.cdr(uac)["candidates"][0][:2] == ["wrong-name", 503]


def tls_to(lab: Transports, file: str) -> socket.socket:
    context = ssl.create_default_context(cafile=str(lab.authority.ca))
    if file:
        context.load_cert_chain(lab.folder / file)
    sock = socket.create_connection(("127.0.0.1", lab.tls_port), timeout=BOUND_S, source_address=("127.0.1.1", 0))
    return context.wrap_socket(sock, server_hostname="edge.example")


@pytest.mark.parametrize(("file", "status"), [("pbx.pem", 404), ("telephone.pem", 403), ("", 403)])
def test_the_name_on_the_certificate_says_who_calls(lab: Transports, file, status):
    """From an address nobody knows: with the right name it is a neighbour (no route: 404), else a stranger."""
    with tls_to(lab, file) as sock:
        caller = Caller(sock, "+33990000000")
        sock.send(caller.request())
        assert caller.status() == status
    (cdr,) = lab.edge.wait_cdrs(caller.call_id, 1)
    assert cdr["ingress_trunk"] == ("proven" if status == 404 else "")


def test_a_huge_content_length_is_refused_before_its_body(lab: Transports):
    """413 at once, and the connection ends."""
    with dial(lab) as sock:
        caller = Caller(sock, "+33990000000")
        sock.send(caller.request().replace(b"Content-Length: 0", b"Content-Length: 999999999"))
        assert (caller.status(), caller.status()) == (413, 0)


def test_a_message_without_content_length_is_the_last(lab: Transports):
    """400: nobody can tell where it ends; what is smuggled behind it is not read."""
    with dial(lab) as sock:
        caller = Caller(sock, "+33990000000")
        hidden = Caller(sock, "+33990000000")
        sock.send(caller.request().replace(b"Content-Length: 0\r\n", b"") + hidden.request())
        assert (caller.status(), caller.status()) == (400, 0)
    assert lab.edge.cdrs(hidden.call_id) == []


def test_connections_of_one_address_are_bounded(lab: Transports):
    """Forty here: the next ones are closed, and another neighbour's call passes meanwhile."""
    held = [dial(lab, "127.0.0.21") for _ in range(60)]
    try:
        until(lambda: sum(is_ended(sock) for sock in held) == 20, what="twenty connections to be closed")
        with dial(lab) as sock:
            caller = Caller(sock, "+33990000000")
            sock.send(caller.request())
            assert caller.status() == 404
    finally:
        for sock in held:
            sock.close()


def is_ended(sock: socket.socket) -> bool:
    if not select.select([sock], [], [], 0)[0]:
        return False
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except ConnectionError:
        return True


def test_a_large_invite_goes_by_tcp_where_the_trunk_allows(lab: Transports):
    """RFC 3261 §18.1.1; and by UDP where TCP is refused, with no call lost."""
    for mode in ("t1", "u1"):
        port = lab.ports["large"]
        uas = lab.play("uas_answer__200", "-t", mode, "-i", "127.0.0.1", "-p", str(port))
        until(lambda m=mode, p=port: is_held(p, m), what="the callee to listen")
        with dial(lab) as sock:
            caller = Caller(sock, TRUNKS["large"][0] + "0001")
            more = "".join(f"X-Filler-{n}: {'x' * 60}\r\n" for n in range(20))
            sock.send(caller.request(more=more))
            assert caller.status() == 200
            transport = "TCP" if mode == "t1" else "UDP"
            assert uas.seen(f"Via: SIP/2.0/{transport} {lab.edge.address}")
        uas.stop()


def test_nothing_is_left_open(lab: Transports):
    """Everything above has come and gone: the edge still answers, and has let go of all of it."""
    assert options_status(lab.edge_port) == 200
    assert udp_port_is_held(lab.edge_port)
