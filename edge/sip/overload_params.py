"""The Via parameters of overload control: oc, oc-algo, oc-validity, oc-seq (RFC 7339 §4, §9; RFC 7415 §3.2).

Standard library only. Read from the parameters of one via-parm; written into, and taken out of, header lines as bytes.
"""

import re
from typing import Final, NamedTuple

from edge.sip.fields import param

NAMES: Final = (b"oc", b"oc-algo", b"oc-validity", b"oc-seq")
MAX_DIGITS: Final = 12
LOSS: Final = b"loss"
RATE: Final = b"rate"

_PARAM: Final = re.compile(
    rb';[ \t]*oc(?:-algo|-validity|-seq)?[ \t]*(?:=[ \t]*(?:"[^"\r\n]*"|[^;,"\s]*))?(?=[ \t]*(?:[;,\r\n]|\Z))',
    re.IGNORECASE,
)
_FILLED: Final = re.compile(
    rb';[ \t]*(?:oc|oc-validity|oc-seq)[ \t]*=[ \t]*(?:"[^"\r\n]*"|[^;,"\s]*)(?=[ \t]*(?:[;,\r\n]|\Z))', re.IGNORECASE
)
_VIA_LINE: Final = re.compile(rb"\n(?:via|v)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*", re.IGNORECASE)
_TOP_VIA: Final = re.compile(rb'\r\n(?:via|v)[ \t]*:[ \t]*((?:"[^"\r\n]*"|[^",\r\n])*)', re.IGNORECASE)
_SEQ: Final = re.compile(rb"([0-9]{1,12})(?:\.([0-9]{1,5}))?")


class OverloadParams(NamedTuple):
    """What one via-parm says."""

    is_announced: bool
    """`oc` stands there, with a value or without."""
    oc: int | None
    """Its value: percent to be left out (loss), or requests a second (rate); None: no server has filled it."""
    algorithms: tuple[bytes, ...]
    """In lower case, in the sender's order."""
    validity_ms: int | None
    seq: tuple[int, int] | None


def read(params: bytes) -> OverloadParams | None:
    """None where there is nothing of it, or where it is malformed: what cannot be understood is not obeyed."""
    if b"oc" not in params.lower():
        return None
    oc = param(params, b"oc")
    if oc is None:
        return None
    numbers = []
    for text in (oc, param(params, b"oc-validity")):
        if text and (not text.isdigit() or len(text) > MAX_DIGITS):
            return None
        numbers.append(int(text) if text else None)
    seq = _SEQ.fullmatch(param(params, b"oc-seq") or b"")
    algorithms = (param(params, b"oc-algo") or b"").strip(b'"').lower()
    return OverloadParams(
        True,
        numbers[0],
        tuple([word.strip() for word in algorithms.split(b",") if word.strip()]),
        numbers[1],
        None if seq is None else (int(seq[1]), int((seq[2] or b"0").ljust(5, b"0"))),
    )


def taken_off(via: bytes) -> bytes:
    """A Via value without them (§5.6: they mean this hop and no other)."""
    return _PARAM.sub(b"", via)


def cleaned(response: bytes) -> bytes:
    """A response without the values of them in any of its Vias (§5.4): whatever a server further on has written there
    is not for those before us."""
    head, end, body = response.partition(b"\r\n\r\n")
    return _VIA_LINE.sub(lambda line: _FILLED.sub(b"", line.group()), head) + end + body


def stamped(response: bytes, params: bytes) -> bytes:
    """A response with these parameters, each with its `;`, at the end of its top via-parm (§5.2)."""
    top = _TOP_VIA.search(response)
    if top is None:
        return response
    at = len(response[: top.end(1)].rstrip(b" \t"))
    return response[:at] + params + response[at:]


def filled(*, oc: int, algorithm: bytes, validity_ms: int, seq: float) -> bytes:
    """The four parameters of a server's answer. `seq`: a time of day in seconds."""
    whole = int(seq)
    fraction = int((seq - whole) * 100_000)
    return b';oc=%d;oc-algo="%b";oc-validity=%d;oc-seq=%d.%05d' % (oc, algorithm, validity_ms, whole, fraction)


def announced(algorithms: bytes) -> bytes:
    """What a client writes into its own Via (§4.1, §4.2). `algorithms`: a comma list, `loss` among them."""
    return b';oc;oc-algo="%b"' % algorithms
