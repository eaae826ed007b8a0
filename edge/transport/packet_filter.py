"""Classic BPF (Linux): small programs in the kernel that judge a datagram by its source, before any copy of it.

Compiling is pure; `attach` is the one door to the kernel. Sources are disjoint ranges of addresses, sorted; a program
is the binary search over their bounds, so that thousands of them cost some twenty instructions a datagram. An
unprivileged process may attach such programs to its own sockets (socket(7), SO_ATTACH_FILTER).
"""

import ctypes
import socket
import struct
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

SO_ATTACH_FILTER = 26
SO_ATTACH_REUSEPORT_CBPF = 51
MAX_INSTRUCTIONS = 2_500
"""The kernel takes 4,096, but older ones count them against 20 KiB of option memory (net.core.optmem_max)."""
MAX_RANGES = {4: 400, 6: 90}
"""By IP version: so many ranges of addresses fit into that, whatever their bounds are."""
TAKE = 0xFFFF_FFFF
"""Verdict of a socket filter: the whole datagram. 0: none of it."""

_NETWORK_HEADER = -0x100000
"""SKF_NET_OFF: offsets from here on count from the IP header."""
_SOURCE = {4: 12, 6: 8}
"""Where the source address stands in it."""
_LOAD, _JUMP, _JUMP_EQ, _JUMP_GT, _JUMP_GE, _RETURN = 0x20, 0x05, 0x15, 0x25, 0x35, 0x06

Network = IPv4Network | IPv6Network
Range = tuple[int, int]
"""First and last address, as integers."""


class Instruction(NamedTuple):
    """`struct sock_filter`."""

    code: int
    if_true: int
    if_false: int
    operand: int


def ranges_of(networks: Iterable[Network], version: int) -> list[Range]:
    """The addresses of these networks that have this IP version, as disjoint ranges in order."""
    found = sorted(
        (int(network.network_address), int(network.broadcast_address))
        for network in networks
        if network.version == version
    )
    merged: list[Range] = []
    for first, last in found:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def program(ranges: Sequence[Range], *, version: int, inside: int, outside: int) -> list[Instruction]:
    """Returns `inside` for a source in one of these ranges, MAX_RANGES at most, else `outside`."""
    end = 1 << (32 if version == 4 else 128)
    bounds: list[Range] = [(0, outside)]
    for first, last in ranges:
        if first == bounds[-1][0]:
            bounds[-1] = (first, inside)
        else:
            bounds.append((first, inside))
        if last + 1 < end:
            bounds.append((last + 1, outside))
    code = _search(bounds, version)
    return [_load(4, 0), *code] if version == 4 else code


def _search(bounds: Sequence[Range], version: int) -> list[Instruction]:
    """Where in these (first address, verdict) does the source lie?"""
    if len(bounds) == 1:
        return [Instruction(_RETURN, 0, 0, bounds[0][1])]
    middle = len(bounds) // 2
    lower, upper = _search(bounds[:middle], version), _search(bounds[middle:], version)
    # A conditional jump reaches 255 instructions, an unconditional one any: so the test falls on a jump to `upper`, or
    # goes past it into `lower`.
    return [*_test(bounds[middle][0], version), Instruction(_JUMP, 0, 0, len(lower)), *lower, *upper]


def _test(bound: int, version: int) -> list[Instruction]:
    """Next instruction where the source is at or over the bound, else the one after it."""
    if version == 4:
        return [Instruction(_JUMP_GE, 0, 1, bound)]
    words = [bound >> shift & 0xFFFF_FFFF for shift in (96, 64, 32, 0)]
    while len(words) > 1 and not words[-1]:
        words.pop()  # whatever follows is at least zero
    code: list[Instruction] = []
    left = 3 * (len(words) - 1) + 2
    for place, word in enumerate(words):
        left -= 1
        code.append(_load(6, place))
        if place == len(words) - 1:
            code.append(Instruction(_JUMP_GE, 0, 1, word))
            break
        left -= 1
        code.append(Instruction(_JUMP_GT, left, 0, word))
        left -= 1
        code.append(Instruction(_JUMP_EQ, 0, left + 1, word))
    return code


def _load(version: int, word: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, _NETWORK_HEADER + _SOURCE[version] + 4 * word & 0xFFFF_FFFF)


def attach(sock: socket.socket, option: int, code: Sequence[Instruction]) -> None:
    """Give the kernel this program in place of the one before. Raises OSError where it takes none."""
    packed = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    kept = ctypes.create_string_buffer(packed, len(packed))
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("HxxxxxxP", len(code), ctypes.addressof(kept)))
