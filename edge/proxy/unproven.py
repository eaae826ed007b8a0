"""Answers to senders that have proved nothing: over UDP their address may be a victim's (RFC 3261 §26.1.5). Pure.

Such a sender is never sent more bytes than it sent, and nothing it did not ask for: no answer is repeated by a timer,
since whoever really asked asks again. What makes an answer larger than its request is left out; where that does not
help there is none. This machine's own addresses are beyond suspicion: nobody else can send from them.
"""

from collections.abc import Callable
from typing import Final

_SPARE: Final = (b"reason:", b"allow:", b"accept:", b"accept-encoding:", b"retry-after:")
"""What an answer can do without."""


def is_ourselves(host: str) -> bool:
    """An address that only this machine can send from."""
    return host.startswith("127.") or host == "::1"


def no_larger(request: bytes, told: Callable[[], None]) -> Callable[[bytes, float], bytes]:
    """What to do to each answer of this request; an empty one is not to be sent. `told`: that there was none."""

    def fitted(answer: bytes, now: float) -> bytes:
        if len(answer) <= len(request):
            return answer
        lines = [line for line in answer.split(b"\r\n") if not line.lower().startswith(_SPARE)]
        short = b"\r\n".join(lines)
        if len(short) <= len(request):
            return short
        told()
        return b""

    return fitted
