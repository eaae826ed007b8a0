"""Programs for the kernel, run here by a small machine of ours: they say what the networks say, for every address."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.transport.packet_filter import MAX_INSTRUCTIONS, MAX_RANGES, Instruction, program, ranges_of

LOAD, JUMP, JUMP_EQ, JUMP_GT, JUMP_GE, RETURN = 0x20, 0x05, 0x15, 0x25, 0x35, 0x06
NETWORK_HEADER = 0x1_0000_0000 - 0x100000


def run(code: list[Instruction], source: str) -> int:
    """What the kernel's machine would return for a datagram from there (linux/filter.h)."""
    address = ip_address(source)
    header = bytes(12 if address.version == 4 else 8) + address.packed + bytes(40)
    at, accumulator = 0, 0
    while True:
        instruction = code[at]
        operand = instruction.operand
        at += 1
        if instruction.code == LOAD:
            offset = operand - NETWORK_HEADER
            accumulator = int.from_bytes(header[offset : offset + 4], "big")
        elif instruction.code == JUMP:
            at += operand
        elif instruction.code == RETURN:
            return operand
        else:
            holds = {
                JUMP_EQ: accumulator == operand,
                JUMP_GT: accumulator > operand,
                JUMP_GE: accumulator >= operand,
            }[instruction.code]
            at += instruction.if_true if holds else instruction.if_false


def networks(version: int):
    width = 32 if version == 4 else 128
    kind = "0.0.0.0" if version == 4 else "::"
    base = int(ip_address(kind))
    return st.lists(
        st.tuples(st.integers(0, 2**width - 1), st.integers(0, width)).map(
            lambda pair: (
                ip_network((base + pair[0], pair[1]), strict=False)
                if version == 4
                else ip_network((pair[0], pair[1]), strict=False)
            )
        ),
        max_size=12,
    ).map(lambda found: [network for network in found if network.version == version])


@given(networks(4), st.lists(st.integers(0, 2**32 - 1), max_size=8))
def test_an_ipv4_source_is_judged_by_the_networks(found, numbers):
    """Also right at both ends of each of them, and next to these."""
    code = program(ranges_of(found, 4), version=4, inside=0, outside=1)
    edges = [int(end) + step for network in found for end in (network[0], network[-1]) for step in (-1, 0, 1)]
    for number in [*numbers, *[edge for edge in edges if 0 <= edge < 2**32]]:
        address = ip_address(number)
        assert run(code, str(address)) == (0 if any(address in network for network in found) else 1)


@given(networks(6), st.lists(st.integers(2**33, 2**128 - 1), max_size=8))
def test_an_ipv6_source_is_judged_by_the_networks(found, numbers):
    """Four words are compared as one number."""
    code = program(ranges_of(found, 6), version=6, inside=7, outside=9)
    edges = [int(end) + step for network in found for end in (network[0], network[-1]) for step in (-1, 0, 1)]
    for number in [*numbers, *[edge for edge in edges if 2**33 <= edge < 2**128]]:
        address = ip_address(number)
        assert run(code, str(address)) == (7 if any(address in network for network in found) else 9)


@given(networks(4) | networks(6))
def test_every_jump_lands_inside(found):
    """The kernel refuses a program that leaves itself, and jumps forward only."""
    for version in (4, 6):
        code = program(ranges_of(found, version), version=version, inside=0, outside=1)
        for at, instruction in enumerate(code):
            if instruction.code == JUMP:
                assert at + 1 + instruction.operand < len(code)
            elif instruction.code not in (LOAD, RETURN):
                assert at + 1 + max(instruction.if_true, instruction.if_false) < len(code)
                assert max(instruction.if_true, instruction.if_false) < 256
        assert code[-1].code == RETURN


def test_touching_networks_are_one_range():
    """The fewer bounds, the shorter the program."""
    both = [ip_network("192.0.2.0/25"), ip_network("192.0.2.128/25"), ip_network("192.0.2.7/32")]

    assert ranges_of(both, 4) == [(0xC0000200, 0xC00002FF)]
    assert ranges_of(both, 6) == []


@pytest.mark.parametrize("version", [4, 6])
def test_so_many_ranges_fit_whatever_their_bounds_are(version):
    """Each with two bounds of its own, all four words of an IPv6 address in use."""
    width, most = (32, 400) if version == 4 else (128, 90)
    step = 2**width // (most + 1)
    found = [(step * number + 0x11111, step * number + step // 2 | 1) for number in range(most)]

    assert MAX_RANGES[version] == most
    assert len(program(found, version=version, inside=0, outside=1)) <= MAX_INSTRUCTIONS
