"""edge.sip.validation: the checks of RFC 3261 §16.3 that need not know who we are."""

import pytest

from edge.sip.message import Request, parse
from edge.sip.validation import Fault, check

PLAIN = (
    b"INVITE sip:c@d SIP/2.0", b"Via: SIP/2.0/UDP h", b"Max-Forwards: 70", b"From: <sip:a@b>;tag=1", b"To: <sip:c@d>",
    b"Call-ID: x", b"CSeq: 1 INVITE", b"Contact: <sip:a@h>",
)  # fmt: skip


def request(*edits: tuple[bytes, bytes], extra: tuple[bytes, ...] = ()) -> Request:
    """The plain INVITE with some bytes for others, and more lines."""
    data = b"\r\n".join([*PLAIN, *extra, b"", b""])
    for old, new in edits:
        assert old in data
        data = data.replace(old, new)
    made = parse(data)
    assert isinstance(made, Request)
    return made


def test_a_sound_request_passes() -> None:
    """So does one without Max-Forwards, and one with a tel URI."""
    assert check(request()) is None
    assert check(request((b"Max-Forwards: 70\r\n", b""))) is None
    assert check(request((b"sip:c@d SIP", b"tel:+33123 SIP"))) is None
    assert check(request((b"sip:c@d SIP", b"sips:c@d SIP"))) is None
    assert check(request((b"Contact: <sip:a@h>\r\n", b""))) is None
    assert (
        check(request(extra=(b"Route: <sip:r;lr>, <sips:s>", b"Record-Route: <sip:r;lr>", b"v: SIP/2.0/TCP i"))) is None
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"sip:c@d SIP", b"sip:@d SIP", "bad Request-URI"),
        (b"sip:c@d SIP", b"sip:c@d?Route=x SIP", "header fields in the Request-URI"),
        (b"<sip:a@b>;tag=1", b"x", "bad From header"),
        (b"<sip:a@b>;tag=1", b"<sip:a@b>;tag=", "bad From header"),
        (b"To: <sip:c@d>", b"To: *", "bad To header"),
        (b"1 INVITE", b"1 BYE", "CSeq method differs"),
        (b"Forwards: 70", b"Forwards: 256", "bad Max-Forwards header"),
        (b"Contact: <sip:a@h>", b"Contact: a", "bad Contact header"),
        (b"Contact: <sip:a@h>", b"Contact: <sip:a@h>, a", "bad Contact header"),
        (b"Contact: <sip:a@h>", b"Route: *", "bad Request-URI"),
        (b"Contact: <sip:a@h>", b"Route: <tel:1>", "bad Route header"),
        (b"Contact: <sip:a@h>", b"Route: a", "bad Route header"),
        (b"Contact: <sip:a@h>", b"Record-Route: a", "bad Record-Route header"),
        (b"Contact: <sip:a@h>", b"Via: a", "bad Via header"),
        (b"Contact: <sip:a@h>", b"Route: " + b",".join([b"<sip:r>"] * 129), "bad Route header"),
    ],
)
def test_syntax_is_judged_first(old: bytes, new: bytes, reason: str) -> None:
    """400, with the field named."""
    fault = check(request((old, new)))

    assert fault == Fault(400, b"Bad Request", reason)


def test_an_unknown_scheme() -> None:
    """416 (§16.3 item 2), before Max-Forwards is looked at."""
    fault = check(request((b"sip:c@d SIP", b"urn:service:counseling SIP"), (b"70", b"0")))

    assert fault == Fault(416, b"Unsupported URI Scheme", "unknown Request-URI scheme")


@pytest.mark.parametrize("uri", [b"urn:service:sos", b"URN:service:SOS.Fire"])
def test_a_call_for_help_is_no_unknown_scheme(uri: bytes) -> None:
    """RFC 5031: the next fault is looked for."""
    assert check(request((b"sip:c@d SIP", uri + b" SIP"))) is None
    fault = check(request((b"sip:c@d SIP", uri + b" SIP"), (b"70", b"0")))
    assert fault is not None
    assert fault.status == 483


def test_no_hop_left() -> None:
    """483 (§16.3 item 3), before Proxy-Require is looked at."""
    fault = check(request((b"70", b"0"), extra=(b"Proxy-Require: x",)))

    assert fault == Fault(483, b"Too Many Hops", "Max-Forwards is 0")


def test_proxy_require() -> None:
    """420 names what is not supported (§16.3 item 5); option tags compare without case."""
    asking = request(extra=(b"Proxy-Require: one, TWO", b"Proxy-Require: three"))

    assert check(asking) == Fault(420, b"Bad Extension", "Proxy-Require", ((b"Unsupported", b"one, TWO, three"),))
    assert check(asking, frozenset((b"one", b"three"))) == Fault(
        420, b"Bad Extension", "Proxy-Require", ((b"Unsupported", b"TWO"),)
    )
    assert check(asking, frozenset((b"one", b"two", b"three"))) is None
    assert check(request(extra=(b"Proxy-Require:",))) is None


@pytest.mark.parametrize("method", [b"ACK", b"CANCEL"])
def test_proxy_require_is_ignored_in_ack_and_cancel(method: bytes) -> None:
    """§8.2.2.3."""
    assert check(request((b"INVITE", method), extra=(b"Proxy-Require: x",))) is None


def test_a_proxy_require_without_end() -> None:
    """Its list has the limit of every list."""
    fault = check(request(extra=(b"Proxy-Require: " + b",".join([b"x"] * 129),)))

    assert fault == Fault(400, b"Bad Request", "bad Proxy-Require header")
