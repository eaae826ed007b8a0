"""The program for the kernel, run by a small machine of ours: it finds the owner that `workers.ownership` names."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.transport.packet_filter import MAX_INSTRUCTIONS, Instruction, ranges_of
from edge.transport.spreading import MAX_SPREAD_RANGES, REACH, spreading
from edge.workers.ownership import slot_in, slot_of

NETWORK_HEADER = 0x1_0000_0000 - 0x100000
MASK = 0xFFFF_FFFF
INVITE = (
    b"INVITE sip:+33170000001@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKabc\r\n%b"
    b"From: <sip:+493012345@198.51.100.7>;tag=1\r\nTo: <sip:+33170000001@192.0.2.1>\r\n"
    b"%b\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
)
KNOWN = [ip_network("198.51.100.0/24"), ip_network("2001:db8::/32")]


def run(code: list[Instruction], data: bytes, source: str = "198.51.100.7", port: int = 5061) -> int:
    """What the kernel's machine would return for this datagram (linux/filter.h)."""
    address = ip_address(source)
    header = bytes(12 if address.version == 4 else 8) + address.packed
    header = header.ljust(20 if address.version == 4 else 40, b"\0") + port.to_bytes(2, "big")
    at, a, x, memory, steps = 0, 0, 0, [0] * 16, 0
    while True:
        one = code[at]
        at, k, steps = at + 1, one.operand, steps + 1
        match one.code:
            case 0x20 | 0x28 | 0x40 | 0x50:
                size = {0x28: 2, 0x50: 1}.get(one.code, 4)
                where = k + x if one.code in (0x40, 0x50) else k
                where, what = (where - NETWORK_HEADER, header) if where >= NETWORK_HEADER else (where, data)
                if where + size > len(what):
                    return 0
                a = int.from_bytes(what[where : where + size], "big")
            case 0x80:
                a = len(data)
            case 0x60:
                a = memory[k]
            case 0x01:
                x = k
            case 0x61:
                x = memory[k]
            case 0x02:
                memory[k] = a
            case 0x03:
                memory[k] = x
            case 0x07:
                x = a
            case 0x87:
                a = x
            case 0x04:
                a = a + k & MASK
            case 0x0C:
                a = a + x & MASK
            case 0x24:
                a = a * k & MASK
            case 0x94:
                a %= k
            case 0x74:
                a >>= k
            case 0xAC:
                a ^= x
            case 0x05:
                at += k
            case 0x15 | 0x25 | 0x35 | 0x3D:
                holds = {0x15: a == k, 0x25: a > k, 0x35: a >= k, 0x3D: a >= x}[one.code]
                assert 0 <= (one.if_true if holds else one.if_false) <= 255
                at += one.if_true if holds else one.if_false
            case 0x06:
                return k
            case 0x16:
                return a
            case other:
                raise AssertionError(f"unknown instruction {other:#x}")


@example(b"0000000000000000000000000000100", 0, 2)
@given(
    st.text("0123456789abcdefghij-@.", min_size=16, max_size=80).map(str.encode),
    st.integers(0, 700),
    st.sampled_from([2, 3, 4, 8]),
)
def test_the_owner_of_the_call_gets_it_wherever_its_call_id_stands(call_id, before, workers):
    """Found at every place of a message up to a thousand bytes, whatever stands before."""
    data = INVITE % (b"X-Fill: " + b"x" * before + b"\r\n", b"Call-ID: " + call_id)
    code = spreading(ranges_of(KNOWN, 4), version=4, workers=workers)
    assert run(code, data) == slot_in(data, workers) == slot_of(call_id, workers)


@pytest.mark.parametrize("workers", [2, 4])
def test_another_spelling_goes_by_the_senders_port(workers):
    """Whoever gets it hands it over."""
    code = spreading(ranges_of(KNOWN, 4), version=4, workers=workers)
    data = INVITE % (b"", b"i: 0123456789abcdef@x")
    assert [run(code, data, port=port) for port in range(5060, 5064)] == [port % workers for port in range(5060, 5064)]


@pytest.mark.parametrize("spelling", [b"CALL-ID: 0123456789abcdef@x", b"Call-ID : 0123456789abcdef", b"Call-ID: short"])
def test_what_only_looks_usual_goes_to_one_of_them(spelling):
    """One word of the pattern is enough for a guess, and a guess is enough."""
    code = spreading(ranges_of(KNOWN, 4), version=4, workers=3)
    assert run(code, INVITE % (b"", spelling)) in range(3)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("workers", [2, 3, 16])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 12, 40, 139, 140, 141, 200, 900, REACH, 1_400])
@pytest.mark.parametrize("ending", [b"", b"\r\nCall-ID: ", b"\r\nCall-ID: 0123", b"\r\nCa"])
def test_a_stranger_never_comes_among_the_known(version, workers, length, ending):
    """However short his datagram is, and wherever it breaks off: a load past its end would say 0."""
    code = spreading(ranges_of(KNOWN, version), version=version, workers=workers)
    stranger, known = ("203.0.113.1", "198.51.100.9") if version == 4 else ("2001:db9::1", "2001:db8::1")
    data = b"x" * (length - len(ending)) + ending
    assert workers <= run(code, data, stranger) < 2 * workers
    assert run(code, data, known) == run(code, data, stranger) - workers


@pytest.mark.parametrize("version", [4, 6])
def test_the_kernel_takes_the_largest_program(version):
    """Older ones count its bytes against a bound."""
    width, step = (32, 1 << 20) if version == 4 else (128, (1 << 90) + 12_345)
    ranges = [(place * 2 * step + 1, place * 2 * step + step) for place in range(MAX_SPREAD_RANGES[version])]
    assert ranges[-1][1] < 1 << width
    code = spreading(ranges, version=version, workers=4)
    assert len(code) <= MAX_INSTRUCTIONS
    assert all(one.if_true <= 255 and one.if_false <= 255 for one in code)
