"""A program for the kernel that takes each datagram to the worker that owns its call. Pure.

The kernel finds the Call-ID by its usual spelling and does the arithmetic of `workers.ownership`; what is spelt another
way goes by the sender's port, and is handed over by whoever gets it. Then the source is looked up, as in
`packet_filter`: known ones and strangers have sockets of their own. Classic BPF knows no loop, so the search is written
out: every eighth byte, a word of four is compared with the eight words that such a place can hold of the eleven bytes
looked for; one of them must fit.
"""

from collections.abc import Sequence
from typing import NamedTuple

from edge.transport.packet_filter import Instruction, Range, program
from edge.workers.ownership import FACTOR, LEAST, SHARE

MAX_SPREAD_RANGES = {4: 150, 6: 34}
"""As `packet_filter.MAX_RANGES`, beside the search."""
REACH = 1_000
"""A Call-ID that begins later is not found here."""

_NETWORK_HEADER = 0x1_0000_0000 - 0x100000
_PORT = {4: 20, 6: 40}
"""Where the sender's port stands behind the IP header, if that has no options."""
_PATTERN = b"\r\nCall-ID: "
_STEP = 8
_GROUP = 16
"""Steps that share their way out: a conditional jump reaches 255 instructions."""
_LOOK = 4
"""Steps between two looks at the length."""
_LD_ABS, _LDH_ABS, _LD_IND, _LDB_IND, _LD_LEN, _LD_MEM = 0x20, 0x28, 0x40, 0x50, 0x80, 0x60
_LDX_IMM, _LDX_MEM, _ST, _STX, _TAX, _TXA = 0x01, 0x61, 0x02, 0x03, 0x07, 0x87
_JA, _JEQ, _JGE, _JGE_X, _RET_K, _RET_A = 0x05, 0x15, 0x35, 0x3D, 0x06, 0x16
_ADD, _ADD_X, _MUL, _MOD, _RSH, _XOR_X = 0x04, 0x0C, 0x24, 0x94, 0x74, 0xAC


class Share(NamedTuple):
    """What one of several workers has of a listener."""

    worker: int
    """From 0."""
    workers: int
    known: int
    """Descriptor: UDP of known sources; TCP and TLS, the socket that listens."""
    strangers: int = -1
    """Descriptor: UDP of all others."""


def spreading(known: Sequence[Range], *, version: int, workers: int) -> list[Instruction]:
    """Returns the number of the owner for a known source, that number plus `workers` for a stranger: the order in which
    `transport.held` binds. `known`: `MAX_SPREAD_RANGES` at most."""
    lanes = program(known, version=version, inside=0, outside=1)
    return [*_find_worker(version, workers), *_into_lane(lanes, workers)]


def _into_lane(lanes: Sequence[Instruction], workers: int) -> list[Instruction]:
    """The verdicts of that program (0 or 1) become jumps behind it, where the worker, kept in memory, is added."""
    size = len(lanes)
    code = [
        one if one.code != _RET_K else Instruction(_JA, 0, 0, size - place - 1 + 2 * one.operand)
        for place, one in enumerate(lanes)
    ]
    return [
        *code,
        Instruction(_LD_MEM, 0, 0, 0),
        Instruction(_RET_A, 0, 0, 0),
        Instruction(_LD_MEM, 0, 0, 0),
        Instruction(_ADD, 0, 0, workers),
        Instruction(_RET_A, 0, 0, 0),
    ]


def _find_worker(version: int, workers: int) -> list[Instruction]:
    """Leaves the worker's number in memory 0."""
    fallback = [
        Instruction(_LDH_ABS, 0, 0, _NETWORK_HEADER + _PORT[version]),
        Instruction(_MOD, 0, 0, workers),
        Instruction(_ST, 0, 0, 0),
    ]
    found = _hash(workers)
    return [*fallback, *_search(), Instruction(_JA, 0, 0, len(found)), *found]


def _search() -> list[Instruction]:
    """Falls through where nothing was found; else goes on one instruction later, where the Call-ID begins at X.

    A load past the end of a datagram would end the program with 0, among the known sources: so its length is looked at
    before."""
    words = [int.from_bytes(_PATTERN[place : place + 4], "big") for place in range(_STEP)]
    offsets = list(range(_STEP, REACH, _STEP))
    groups = [offsets[first : first + _GROUP] for first in range(0, len(offsets), _GROUP)]
    sizes = [len(group) * (_STEP + 2) + 3 * -(-len(group) // _LOOK) + 1 + _STEP for group in groups]
    nothing = sum(sizes)
    code: list[Instruction] = []
    for group, size in zip(groups, sizes, strict=True):
        exits = len(code) + size - _STEP
        for step, offset in enumerate(group):
            if step % _LOOK == 0:
                last = group[min(step + _LOOK, len(group)) - 1] + 4
                code += [Instruction(_LD_LEN, 0, 0, 0), Instruction(_JGE, 1, 0, last)]
                code.append(Instruction(_JA, 0, 0, nothing - len(code) - 1))
            code += [Instruction(_LDX_IMM, 0, 0, offset), Instruction(_LD_ABS, 0, 0, offset)]
            for place, word in enumerate(words):
                code.append(Instruction(_JEQ, exits + place - len(code) - 1, 0, word))
        code.append(Instruction(_JA, 0, 0, _STEP))
        for place in range(_STEP):
            code.append(Instruction(_JA, 0, 0, nothing + 1 + 4 * place - len(code) - 1))
    code.append(Instruction(_JA, 0, 0, 4 * _STEP))  # nothing was found
    for place in range(_STEP):
        code += [
            Instruction(_TXA, 0, 0, 0),
            Instruction(_ADD, 0, 0, len(_PATTERN) - place),
            Instruction(_TAX, 0, 0, 0),
            Instruction(_JA, 0, 0, 4 * (_STEP - place - 1) + 1),
        ]
    return code


_MIX = (
    Instruction(_STX, 0, 0, 2),
    Instruction(_LDX_MEM, 0, 0, 1),
    Instruction(_ADD_X, 0, 0, 0),
    Instruction(_MUL, 0, 0, FACTOR),
    Instruction(_ST, 0, 0, 1),
    Instruction(_LDX_MEM, 0, 0, 2),
)
"""The word in A joins what is kept in memory 1; X stays."""
_WORD = 8 + 1 + len(_MIX)
"""Instructions for one of the words that count if they are whole."""


def _hash(workers: int) -> list[Instruction]:
    """`ownership.slot_of` of what stands at X, if there is enough of it. What only looks like the usual header, of
    which one word was read, gives a number as good as the sender's port."""
    last = [
        Instruction(_LD_MEM, 0, 0, 1),
        Instruction(_RSH, 0, 0, 16),
        Instruction(_LDX_MEM, 0, 0, 1),
        Instruction(_XOR_X, 0, 0, 0),
        Instruction(_MUL, 0, 0, FACTOR),
        Instruction(_RSH, 0, 0, 16),
        Instruction(_MOD, 0, 0, workers),
        Instruction(_ST, 0, 0, 0),
    ]
    code = [Instruction(_LD_IND, 0, 0, 0), Instruction(_MUL, 0, 0, FACTOR), Instruction(_ST, 0, 0, 1)]
    for word in range(4, LEAST, 4):
        code += [Instruction(_LD_IND, 0, 0, word), *_MIX]
    rest = range(LEAST, SHARE, 4)
    end = len(code) + len(rest) * _WORD
    for word in rest:
        for byte in range(word, word + 4):
            code.append(Instruction(_LDB_IND, 0, 0, byte))
            code.append(Instruction(_JEQ, end - len(code) - 1, 0, 0x0D))  # the Call-ID ends within it
        code += [Instruction(_LD_IND, 0, 0, word), *_MIX]
    code += last
    return [
        Instruction(_STX, 0, 0, 2),
        Instruction(_TXA, 0, 0, 0),
        Instruction(_ADD, 0, 0, SHARE),
        Instruction(_TAX, 0, 0, 0),
        Instruction(_LD_LEN, 0, 0, 0),
        Instruction(_JGE_X, 1, 0, 0),
        Instruction(_JA, 0, 0, len(code) + 1),
        Instruction(_LDX_MEM, 0, 0, 2),
        *code,
    ]
