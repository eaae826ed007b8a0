"""A trace as a ladder, and as a capture file."""

import struct

import pytest
from network import CALLER, TRUNK_A, TRUNK_B, Caller

from edge.control.ladder import Ladder, end_line
from edge.control.pcap import HEADER, packet
from edge.control.questions import TracedMessage, TraceEnd
from edge.sip import compose

EDGE = ("192.0.2.10", 5060)
AT_US = 1_795_600_000_123_456


def message(way, remote, data, local=EDGE):
    return TracedMessage("aa", "edge1", AT_US, way, "udp", local, remote, data.decode("latin-1"))


@pytest.fixture
def invite(wire):
    return Caller(wire).request("INVITE")


def test_the_caller_stands_left_and_the_trunk_right(wire, invite):
    """Each rung on its side, in its direction; who they are is said once, and again where the trunk changes."""
    from edge.sip.message import parse

    ladder = Ladder(width=80, plain=True)
    busy = compose.response(parse(invite), 486, b"Busy Here", to_tag=b"x")
    lines = []
    for way, remote, data in [
        ("<", CALLER, invite), (">", TRUNK_A, invite), ("<", TRUNK_A, busy),
        (">", TRUNK_B, invite), (">", CALLER, busy),
    ]:  # fmt: skip
        lines += ladder.lines(message(way, remote, data))
    call_id = parse(invite).call_id().decode()
    assert [line.rstrip() for line in lines] == [
        "",
        f"               Call-ID {call_id}",
        "edge1          192.0.2.1:5060                  |",
        "09:46:40.123 < -- INVITE +33170000001 -------->|",
        "",
        f"               Call-ID {call_id}",
        "edge1          192.0.2.1:5060                  |               198.51.100.1:5060",
        "09:46:40.123 >                                 |-- INVITE +33170000001 -------->",
        "09:46:40.123 <                                 |<-------------- 486 Busy Here --",
        "",
        f"               Call-ID {call_id}",
        "edge1          192.0.2.1:5060                  |               198.51.100.2:5070",
        "09:46:40.123 >                                 |-- INVITE +33170000001 -------->",
        "09:46:40.123 > <-------------- 486 Busy Here --|",
    ]
    assert max(map(len, lines)) <= 80


def test_nothing_a_caller_writes_moves_the_cursor(wire, invite):
    """And what cannot be read is a rung of its own."""
    ladder = Ladder(width=80, plain=False)
    rude = invite.replace(b"+33170000001", b"\x1b[2J\x9b1", 1)
    lines = [*ladder.lines(message("<", CALLER, rude)), *ladder.lines(message("<", CALLER, b"\x00\x01"))]
    assert all(line.isprintable() for line in lines)
    assert "unreadable, 2 bytes" in lines[-1]


def test_the_last_word_says_why_and_what_is_missing():
    """One line."""
    assert end_line(TraceEnd("aa", "n1", "time", 7, 0)) == "n1: 7 messages, its time is over"
    assert "3 more were left out" in end_line(TraceEnd("aa", "n1", "stopped", 7, 3))


def test_a_record_is_an_ip_packet_with_sums_that_hold():
    """Directions, lengths, checksums of IPv4 and IPv6; an odd number of bytes too."""
    for way, remote, local in [
        ("<", CALLER, EDGE), (">", CALLER, EDGE), ("<", ("2001:db8::1", 5060), ("2001:db8::2", 5070)),
    ]:  # fmt: skip
        record = packet(message(way, remote, b"OPTIONS x", local))
        seconds, micros, kept, length = struct.unpack("<IIII", record[:16])
        assert (seconds, micros) == (1_795_600_000, 123_456)
        assert kept == length == len(record) - 16
        ip = record[16:]
        is_ipv6 = ip[0] >> 4 == 6
        if not is_ipv6:
            assert _sum(ip[:20]) == 0xFFFF
        udp = ip[40 if is_ipv6 else 20 :]
        ends = ip[8:40] if is_ipv6 else ip[12:20]
        pseudo = ends + (struct.pack("!IHBB", len(udp), 0, 0, 17) if is_ipv6 else struct.pack("!BBH", 0, 17, len(udp)))
        assert _sum(pseudo + udp) == 0xFFFF
        source, target = struct.unpack("!HH", udp[:4])
        assert (source, target) == ((remote[1], local[1]) if way == "<" else (local[1], remote[1]))
        assert udp[8:] == b"OPTIONS x"


def test_what_no_datagram_holds_is_cut_and_told():
    """A message of a connection may be longer."""
    record = packet(message("<", CALLER, b"x" * 65_535))
    _, _, kept, length = struct.unpack("<IIII", record[:16])
    assert (kept, length) == (65_535, 65_535 + 28)
    assert len(HEADER) == 24


def _sum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total
