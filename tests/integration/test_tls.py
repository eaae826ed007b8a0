"""TLS on loopback: whom we believe, what we show, what a handshake may cost. Certificates are made for each test."""

import asyncio
import ssl

import pytest
import uvloop
from authority import Authority
from streams import BOUND_S, bench, connected, is_closed, message, neighbour

from edge.sip.flow import Flow
from edge.transport.certificates import Certificates, TlsError, TlsFiles, proven_names
from edge.transport.stream_bounds import StreamBounds


@pytest.fixture(scope="module")
def event_loop_policy() -> uvloop.EventLoopPolicy:
    """The loop of the edge: its transports are its own."""
    return uvloop.EventLoopPolicy()


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path)


def shown(authority: Authority, *files: str, **more: str) -> Certificates:
    return Certificates(TlsFiles(tuple(str(authority.folder / file) for file in files), **more))


def neighbours_context(authority: Authority, file: str = "", *, server: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if not server:
        context.load_verify_locations(authority.ca)
        context.check_hostname = False
    if file:
        context.load_cert_chain(authority.folder / file)
    return context


async def dial(address, context, name=None):
    """(reader, writer) of a neighbour's TLS connection to the edge."""
    async with asyncio.timeout(BOUND_S):
        return await asyncio.open_connection(*address, ssl=context, server_hostname=name or "edge.example")


def certificate_names(writer) -> list[str]:
    return [value for _, value in writer.get_extra_info("peercert")["subjectAltName"]]


async def test_a_message_over_tls_and_its_answer(authority) -> None:
    """No certificate is asked of a neighbour where no authority is named; then none proves a name."""
    authority.issue("edge.pem", "edge.example")
    async with bench(certificates=shown(authority, "edge.pem")) as edge:
        reader, writer = await dial(edge.address, neighbours_context(authority))
        writer.write(message())
        await edge.tap.until(lambda: edge.tap.messages)
        data, flow = edge.tap.messages[0]
        assert (data, flow.names, certificate_names(writer)) == (message(), (), ["edge.example"])
        edge.connections.send(b"answer", flow, None)
        assert await reader.readexactly(6) == b"answer"
        writer.close()


NAMES = [
    (["pbx.acme.example"], ("pbx.acme.example",)),
    (["PBX.acme.example", "b.example"], ("pbx.acme.example", "b.example")),
    (["sip:acme.example", "pbx.acme.example"], ("acme.example",)),
    (["sip:alice@acme.example", "pbx.acme.example"], ("pbx.acme.example",)),
    (["192.0.2.7", "2001:db8::1"], ("192.0.2.7", "2001:db8::1")),
    ([], ()),
]


@pytest.mark.parametrize(("names", "proven"), NAMES, ids=range(len(NAMES)))
async def test_the_names_that_a_neighbours_certificate_proves(authority, names, proven) -> None:
    """RFC 5922 §7.1: SIP URIs without a user, else DNS names; never the common name."""
    authority.issue("edge.pem", "edge.example")
    authority.issue("client.pem", *names, common_name="acme.example")
    certificates = shown(authority, "edge.pem", ca=str(authority.ca))
    async with bench(certificates=certificates) as edge:
        _, writer = await dial(edge.address, neighbours_context(authority, "client.pem"))
        writer.write(message())
        await edge.tap.until(lambda: edge.tap.messages)
        assert proven == edge.tap.messages[0][1].names
        writer.close()


@pytest.mark.parametrize(("clients", "file", "welcome"), [
    ("optional", "", True),
    ("optional", "stranger.pem", False),
    ("required", "", False),
    ("required", "client.pem", True),
    ("off", "stranger.pem", True),
])  # fmt: skip
async def test_contract_11_2_who_is_let_in(authority, tmp_path, clients, file, welcome) -> None:
    """A certificate of another authority is worse than none; `required` wants one; `off` looks at none."""
    authority.issue("edge.pem", "edge.example")
    authority.issue("client.pem", "pbx.example")
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("stranger.pem", "pbx.example")
    (tmp_path / "stranger.pem").write_bytes(stranger.read_bytes())
    certificates = shown(authority, "edge.pem", ca=str(authority.ca), clients=clients)
    async with bench(certificates=certificates) as edge:
        reader, writer = await dial(edge.address, neighbours_context(authority, file))
        writer.write(message())
        if welcome:
            await edge.tap.until(lambda: edge.tap.messages)
            assert edge.tap.messages[0][1].names == (("pbx.example",) if file == "client.pem" else ())
        else:
            with pytest.raises((EOFError, OSError)):  # an alert, or the end, as the version of TLS has it
                await reader.readexactly(1)
            await edge.tap.until(lambda: edge.counters.handshakes_failed)
            assert edge.tap.messages == []
        writer.close()


async def test_the_certificate_of_the_name_that_is_asked_for(authority) -> None:
    """SNI: by name without case; the first for any other name."""
    authority.issue("one.pem", "one.example")
    authority.issue("two.pem", "two.example", "zwei.example")
    async with bench(certificates=shown(authority, "one.pem", "two.pem")) as edge:
        for asked, answer in [
            ("two.example", "two.example"),
            ("ZWEI.example", "two.example"),
            ("x.example", "one.example"),
        ]:
            _, writer = await dial(edge.address, neighbours_context(authority), asked)
            assert certificate_names(writer)[0] == answer
            writer.close()


async def test_new_certificates_are_in_force_for_the_next_connection(authority) -> None:
    """Reload: what is up goes on; a file that cannot be read changes nothing."""
    authority.issue("edge.pem", "old.example")
    certificates = shown(authority, "edge.pem")
    async with bench(certificates=certificates) as edge:
        _, before = await dial(edge.address, neighbours_context(authority))
        authority.issue("edge.pem", "new.example", days=9)
        ends = dict(certificates.not_after)
        certificates.reload()
        _, after = await dial(edge.address, neighbours_context(authority))
        assert (certificate_names(before), certificate_names(after)) == (["old.example"], ["new.example"])
        file = str(authority.folder / "edge.pem")
        assert certificates.not_after[file] - ends[file] > 7 * 86_400
        (authority.folder / "edge.pem").write_text("no certificate")
        with pytest.raises(TlsError, match="expected a PEM chain"):
            certificates.reload()
        _, still = await dial(edge.address, neighbours_context(authority))
        assert certificate_names(still) == ["new.example"]
        before.write(message())
        await edge.tap.until(lambda: edge.tap.messages)
        for writer in (before, after, still):
            writer.close()


@pytest.mark.parametrize(("names", "wanted", "welcome"), [
    (["carrier.example"], ("carrier.example",), True),
    (["sip:carrier.example"], ("carrier.example",), True),
    (["carrier.example"], ("Carrier.Example",), True),
    (["*.carrier.example"], ("sip.carrier.example",), False),
    (["*.carrier.example"], ("*.carrier.example",), True),
    (["other.example"], ("carrier.example",), False),
    (["other.example"], ("carrier.example", "other.example"), True),
    ([], ("carrier.example",), False),
])  # fmt: skip
async def test_the_trunk_must_prove_its_name(authority, names, wanted, welcome) -> None:
    """RFC 5922 §7.2: letter for letter, no wildcard unless it is the name asked for. Nothing leaves before that."""
    authority.issue("edge.pem", "edge.example")
    authority.issue("trunk.pem", *names, common_name="carrier.example")
    certificates = shown(authority, "edge.pem", ca=str(authority.ca))
    got = bytearray()

    async def serve(reader, writer) -> None:
        got.extend(await reader.read(100))
        writer.close()

    context = neighbours_context(authority, "trunk.pem", server=True)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with bench(certificates=certificates) as edge, server:
        port = server.sockets[0].getsockname()[1]
        flow = Flow(0, ("127.0.0.1", port), 0, port, wanted)
        edge.connections.send(b"hello", flow, "txn")
        if welcome:
            await edge.tap.until(lambda: bytes(got) == b"hello")
            assert edge.tap.lost == []
        else:
            await edge.tap.until(lambda: edge.tap.lost and edge.counters.closed)
            assert (edge.tap.lost, got) == ([("txn", "TLS: the certificate proves another name")], b"")
            assert edge.counters.handshakes_failed == {"name": 1}


async def test_a_trunk_of_another_authority_is_not_believed(authority, tmp_path) -> None:
    """Not even with the right name."""
    authority.issue("edge.pem", "edge.example")
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    other.issue("trunk.pem", "carrier.example")
    server = await asyncio.start_server(
        lambda reader, writer: None, "127.0.0.1", 0, ssl=neighbours_context(other, "trunk.pem", server=True)
    )
    async with bench(certificates=shown(authority, "edge.pem", ca=str(authority.ca))) as edge, server:
        port = server.sockets[0].getsockname()[1]
        edge.connections.send(b"hello", Flow(0, ("127.0.0.1", port), 0, port, ("carrier.example",)), "txn")
        await edge.tap.until(lambda: edge.tap.lost)
        assert edge.counters.handshakes_failed == {"certificate": 1}
        assert edge.tap.lost == [("txn", "TLS: certificate verify failed")]


async def test_a_connection_proved_for_one_name_does_not_serve_another(authority) -> None:
    """Two trunks behind one address: each has a connection of its own."""
    authority.issue("edge.pem", "edge.example")
    authority.issue("trunk.pem", "one.example", "two.example")
    served = []
    server = await asyncio.start_server(
        lambda reader, writer: served.append(writer), "127.0.0.1", 0,
        ssl=neighbours_context(authority, "trunk.pem", server=True),
    )  # fmt: skip
    async with bench(certificates=shown(authority, "edge.pem", ca=str(authority.ca))) as edge, server:
        port = server.sockets[0].getsockname()[1]
        for name in ("one.example", "two.example", "one.example"):
            edge.connections.send(b"x", Flow(0, ("127.0.0.1", port), 0, port, (name,)), None)
        await edge.tap.until(lambda: len(served) == 2 and edge.counters.opened == 2)
        for writer in served:
            writer.close()


async def test_an_alias_of_a_proven_neighbour_is_used(authority) -> None:
    """RFC 5923: requests to the address that it named go back by its own connection, and by no new one."""
    authority.issue("edge.pem", "edge.example")
    authority.issue("client.pem", "pbx.example")
    async with bench(certificates=shown(authority, "edge.pem", ca=str(authority.ca))) as edge:
        reader, writer = await dial(edge.address, neighbours_context(authority, "client.pem"))
        writer.write(message(via="SIP/2.0/TLS pbx.example:5999;branch=z9hG4bK1;alias"))
        await edge.tap.until(lambda: edge.tap.messages)
        edge.connections.send(b"request", Flow(0, ("127.0.0.1", 5999), 0, 5999, ("pbx.example",)), None)
        assert await reader.readexactly(7) == b"request"
        with neighbour() as listening:
            port = listening.getsockname()[1]
            edge.connections.send(b"x", Flow(0, ("127.0.0.1", port), 0, port, ("pbx.example",)), None)
            assert len(edge.connections.by_number) == 2
        writer.close()


async def test_a_handshake_that_stalls_is_given_up(authority) -> None:
    """A bounded time; the place it took is free again."""
    authority.issue("edge.pem", "edge.example")
    async with bench(StreamBounds(handshake_s=0.2), shown(authority, "edge.pem")) as edge:
        with await connected(edge.address) as sock:
            sock.send(b"\x16\x03\x01")
            assert await is_closed(sock)
        await edge.tap.until(lambda: edge.counters.handshakes_failed)
        assert (edge.counters.handshakes_failed, len(edge.connections.handshakes)) == ({"time-out": 1}, 0)
        assert edge.connections.handshakes.per_host == {}


async def test_handshakes_at_one_time_are_bounded(authority) -> None:
    """The next one of the same address is closed at once: it costs a descriptor for a moment and no arithmetic."""
    authority.issue("edge.pem", "edge.example")
    async with bench(StreamBounds(handshakes=3, handshake_s=0.5), shown(authority, "edge.pem")) as edge:
        stalled = [await connected(edge.address) for _ in range(3)]
        await edge.tap.until(lambda: len(edge.connections.handshakes) == 3)
        with await connected(edge.address) as sock:
            assert await is_closed(sock)
        assert edge.counters.refused == {"handshakes": 1}
        for sock in stalled:
            sock.close()
        await edge.tap.until(lambda: not edge.connections.handshakes)
        _, writer = await dial(edge.address, neighbours_context(authority))
        writer.write(message())
        await edge.tap.until(lambda: edge.tap.messages)
        writer.close()


async def test_whoever_lets_handshakes_stall_shuts_out_himself_alone(authority) -> None:
    """Every place is taken by two addresses, which do not stop: a third one gets in at once, at the cost of the oldest
    of whoever has most; and nothing stays counted."""
    authority.issue("edge.pem", "edge.example")
    async with bench(StreamBounds(handshakes=8), shown(authority, "edge.pem")) as edge:
        stalled = [await connected(edge.address, "127.0.0.8") for _ in range(5)]
        stalled += [await connected(edge.address, "127.0.0.9") for _ in range(3)]
        await edge.tap.until(lambda: len(edge.connections.handshakes) == 8)
        for _ in range(3):
            _, writer = await dial(edge.address, neighbours_context(authority))
            before = len(edge.tap.messages)
            writer.write(message())
            await edge.tap.until(lambda before=before: len(edge.tap.messages) > before)
            writer.close()
            stalled.append(await connected(edge.address, "127.0.0.8"))
        assert await is_closed(stalled[0])
        assert edge.counters.handshakes_failed["displaced"] >= 1
        for sock in stalled:
            sock.close()
        await edge.tap.until(lambda: not edge.connections.handshakes and not edge.connections.handshakes.per_host)


async def test_what_is_no_tls_ends_in_the_handshake(authority) -> None:
    """SIP in the clear on the TLS port."""
    authority.issue("edge.pem", "edge.example")
    async with bench(certificates=shown(authority, "edge.pem")) as edge:
        with await connected(edge.address) as sock:
            sock.send(message())
            assert await is_closed(sock)
        await edge.tap.until(lambda: edge.counters.handshakes_failed)
        assert edge.tap.messages == []


async def test_old_versions_are_not_spoken(authority) -> None:
    """TLS 1.2 at least; 1.3 where that is asked."""
    authority.issue("edge.pem", "edge.example")
    old = neighbours_context(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    async with bench(certificates=shown(authority, "edge.pem", minimum="1.3")) as edge:
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await dial(edge.address, old)
        assert edge.tap.messages == []
    async with bench(certificates=shown(authority, "edge.pem")) as edge:
        _, writer = await dial(edge.address, old)
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.2"
        writer.close()


FILES = [
    ({"certificates": ("missing.pem",)}, "cannot read missing.pem: No such file"),
    ({"certificates": ("empty.pem",)}, "empty.pem: expected a PEM chain and its unencrypted key"),
    ({"certificates": ("ca.pem",)}, "ca.pem: expected a PEM chain and its unencrypted key"),
    ({"certificates": ("edge.pem:other.pem",)}, "expected a PEM chain and its unencrypted key: key values mismatch"),
    ({"certificates": ("edge.pem",), "ca": "missing.pem"}, "tls_ca: cannot read missing.pem"),
    ({"certificates": ("edge.pem",), "ca": "empty.pem"}, "tls_ca: empty.pem: expected PEM certificates"),
]


@pytest.mark.parametrize(("files", "said"), FILES, ids=range(len(FILES)))
def test_files_that_cannot_be_used(authority, monkeypatch, files, said) -> None:
    """One sentence, with the file in it."""
    monkeypatch.chdir(authority.folder)
    authority.issue("edge.pem", "edge.example")
    authority.issue("other.pem", "edge.example")
    (authority.folder / "empty.pem").touch()
    with pytest.raises(TlsError, match=said):
        Certificates(TlsFiles(**files))


def test_nothing_proves_nothing() -> None:
    """No certificate, or one without names."""
    assert (proven_names(None), proven_names({}), proven_names({"subjectAltName": ()})) == ((), (), ())
