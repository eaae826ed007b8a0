"""A byte stream cut into messages (RFC 3261 §18.3, §7.5; keep-alives of RFC 5626 §4.4.1).

Standard library only. A stream has no second chance: where the end of a message cannot be told, everything behind it
is lost, so the first fault is the last. What a message says is not judged here, but by `edge.sip.message`.
"""

import re
from typing import Final, NamedTuple

from edge.sip.grammar import is_token
from edge.sip.message import MAX_DATAGRAM

MAX_HEAD: Final = 32_768
"""Bytes of start line and header fields. Sound traffic has under 4,000."""

MAX_MESSAGE: Final = MAX_DATAGRAM
"""Bytes of a whole message: what is relayed to a neighbour on UDP must fit a datagram."""

PONG: Final = b"\r\n"
"""RFC 5626 §4.4.1: the answer to a double CRLF between two messages."""

_BREAKS: Final = re.compile(rb"(?:\r\n)*")
_CONTENT_LENGTH: Final = re.compile(rb"\r\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)(?=\r\n)", re.IGNORECASE)


class FramingFault(NamedTuple):
    """Why a stream cannot be cut any further."""

    reason: str
    """A stable phrase, fit for a counter's label."""
    status: int
    """400 or 413: what the sender may be told."""
    head: bytes
    """What there is of the message's header, for the answer."""


class Framer:
    """The receiving end of one connection."""

    __slots__ = ("_breaks", "_buffer", "_end", "_searched", "fault", "pings")

    fault: FramingFault | None
    """Set once, for ever."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        """Bytes of the buffer in which no end of a header was found."""
        self._end = 0
        """Where the message at the front of the buffer ends; 0: not known yet."""
        self._breaks = 0
        """Line ends since the last message or ping that make no pair yet."""
        self.pings = 0
        """Keep-alives received so far."""
        self.fault = None

    @property
    def is_partial(self) -> bool:
        """Has a message begun that is not yet complete?"""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete, whole and in order."""
        broken = self.fault  # a name of its own: compiled, `self.fault` would be taken for None to the end
        if broken is not None:
            return []
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
        start = 0
        while True:
            if not self._end:
                start = self._skip_breaks(start)
                self._find_end(start)
                if not self._end:
                    break
            if len(buffer) - start < self._end:
                break
            messages.append(bytes(buffer[start : start + self._end]))
            start += self._end
            self._end = self._searched = 0
        if self.fault is not None:
            buffer.clear()
        else:
            del buffer[:start]
        return messages

    def _skip_breaks(self, start: int) -> int:
        """§7.5: line ends before the start line are ignored; two together are a ping."""
        found = _BREAKS.match(self._buffer, start)
        assert found is not None
        breaks = self._breaks + len(found.group()) // 2
        self.pings += breaks // 2
        end = found.end()
        # A start line ends what could have become a pair.
        self._breaks = breaks % 2 if end == len(self._buffer) or self._buffer[end:] == b"\r" else 0
        return end

    def _find_end(self, start: int) -> None:
        """Set the end of the message that begins here, or the fault, or neither where too little is there."""
        buffer = self._buffer
        size = len(buffer) - start
        if not size or (size == 1 and buffer[start] == 0x0D):
            return
        if not is_token(bytes(buffer[start : start + 1])):
            self.fault = FramingFault("no start line", 400, b"")
            return
        at = buffer.find(b"\r\n\r\n", start + max(0, self._searched - 3))
        head_size = size if at < 0 else at + 4 - start
        if head_size > MAX_HEAD:
            self.fault = FramingFault("header too long", 413, bytes(buffer[start : start + MAX_HEAD]))
        elif at < 0:
            self._searched = size
        else:
            self._measure(bytes(buffer[start : at + 4]))

    def _measure(self, head: bytes) -> None:
        lengths = _CONTENT_LENGTH.findall(head)
        reason, status = "", 400
        if not lengths:
            reason = "no Content-Length header"
        elif len(lengths) > 1:
            reason = "more than one Content-Length header"
        else:
            digits = lengths[0].strip(b" \t\r\n")
            if not digits.isdigit():
                reason = "bad Content-Length header"
            elif len(digits) > 10 or len(head) + int(digits) > MAX_MESSAGE:
                reason, status = "message too long", 413
            else:
                self._end = len(head) + int(digits)
        if reason:
            self.fault = FramingFault(reason, status, head)
