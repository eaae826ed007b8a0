"""edge.sip.uri: the parts of URIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip import uri as room
from edge.sip.errors import FieldError
from edge.sip.uri import MAX_SERVICE, MAX_URI, OtherUri, SipUri, TelUri, emergency_service, parse_uri


@pytest.mark.parametrize(
    ("raw", "parts"),
    [
        (b"sip:h", (b"sip", None, None, b"h", False, None, b"", b"")),
        (b"sip:u@h:5060;lr;transport=TCP", (b"sip", b"u", None, b"h", False, 5060, b";lr;transport=TCP", b"")),
        (b"SIPS:u:p@h?a=b&c=d", (b"sips", b"u", b"p", b"h", False, None, b"", b"a=b&c=d")),
        (b"sip:[2001:db8::1]:5061;x", (b"sip", None, None, b"2001:db8::1", True, 5061, b";x", b"")),
        (
            b"sip:+33%31;phone-context=x@h;user=phone",
            (b"sip", b"+33%31;phone-context=x", None, b"h", False, None, b";user=phone", b""),
        ),
        (b"sip:*31#0123@h", (b"sip", b"*31#0123", None, b"h", False, None, b"", b"")),
        (b"sip:a?b/c@h", (b"sip", b"a?b/c", None, b"h", False, None, b"", b"")),
        (b"sip:u:@h", (b"sip", b"u", b"", b"h", False, None, b"", b"")),
        (b"sip:my_host.example.", (b"sip", None, None, b"my_host.example.", False, None, b"", b"")),
        (b"sip:u@h:65535;%6C%72;n=%41", (b"sip", b"u", None, b"h", False, 65535, b";%6C%72;n=%41", b"")),
    ],
)
def test_sip_uris(raw: bytes, parts: tuple[object, ...]) -> None:
    """Parts as they came; scheme and brackets aside."""
    assert parse_uri(raw) == parts


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"sip",
        b"sip:",
        b"sip:@h",
        b"sip:u@",
        b"sip:u@h:",
        b"sip:u@h:65536",
        b"sip:u@h:x",
        b"sip:a@b@h",
        b"sip:u@h;",
        b"sip:u@h;;lr",
        b"sip:%4@h",
        b"sip:%zz@h",
        b"sip:u@[::1",
        b"sip:u@[1:2]",
        b"sip:2001:db8::1",
        b"sip:a b@h",
        b"sip:a@h ",
        b"<sip:a@h>",
        b"sip:\xc3\xa9@h",
        b"sip:u@-h",
        b"sip:u@h\x00",
        b'sip:u@h;a="x"',
        b"sip:u:p\x7f@h",
        b"sip:+33123",
        b"1sip:h",
        b"sip:u@h" + b"a" * MAX_URI,
        b"tel:",
        b"tel:+",
        b"tel:+call",
        b"tel:12 34",
        b"tel:+33?x",
        b"tel:++33",
        b"urn:a b",
        b"http://\xc3\xa9",
        b"mailto:<a>",
    ],
)
def test_malformed_uris(raw: bytes) -> None:
    """No guess is made."""
    with pytest.raises(FieldError) as caught:
        parse_uri(raw)

    assert caught.value.field == "URI"


@pytest.mark.parametrize(
    ("raw", "uri"),
    [
        (b"tel:+33-1.23(45)67", TelUri(b"+33-1.23(45)67", b"")),
        (b"TEL:112;phone-context=+33", TelUri(b"112", b";phone-context=+33")),
        (b"tel:*31#12", TelUri(b"*31#12", b"")),
        (b"urn:service:sos", OtherUri(b"urn", b"urn:service:sos")),
        (b"soap.beep://192.0.2.103:3002", OtherUri(b"soap.beep", b"soap.beep://192.0.2.103:3002")),
    ],
)
def test_other_schemes(raw: bytes, uri: object) -> None:
    """Numbers are read; what is not ours is only named."""
    assert parse_uri(raw) == uri


@given(
    st.from_regex(rb"[a-z0-9+.*#%;:-]{0,6}@?", fullmatch=True),
    st.from_regex(rb"[a-z0-9.-]{1,6}", fullmatch=True),
    st.sampled_from(
        (b"", b":1", b":5060", b":65535", b":65536", b":99999", b":", b";lr", b";", b";a=b;c", b";a==", b"?a=b")
    ),
)
def test_the_short_cut_is_none_but_a_short_cut(user: bytes, host: bytes, rest: bytes) -> None:
    """What the usual pattern takes, the complete road takes, and reads the same."""
    raw = b"sip:" + user + host + rest
    room._seen.clear()

    def reading(short: bool) -> object:
        try:
            return parse_uri(raw) if short else room._parse_uri_completely(raw)
        except FieldError as error:
            return error.reason

    assert reading(True) == reading(False)


@pytest.mark.parametrize(
    ("raw", "is_lr", "transport", "maddr"),
    [
        (b"sip:h;lr", True, None, None),
        (b"sip:h;LR=on;Transport=TLS", True, b"tls", None),
        (b"sip:h;lrx;maddr=[2001:db8::1]", False, None, b"2001:db8::1"),
        (b"sip:h;maddr=192.0.2.1", False, None, b"192.0.2.1"),
        (b"sip:lr@h", False, None, None),
    ],
)
def test_parameters(raw: bytes, is_lr: bool, transport: bytes | None, maddr: bytes | None) -> None:
    """Those of the URI, names without case."""
    uri = parse_uri(raw)

    assert isinstance(uri, SipUri)
    assert uri.param(b"nothing") is None
    assert (uri.is_lr, uri.transport, uri.maddr) == (is_lr, transport, maddr)


def test_parameters_of_numbers() -> None:
    """phone-context and its like."""
    uri = parse_uri(b"tel:112;phone-context=+33;x")

    assert isinstance(uri, TelUri)
    assert (uri.param(b"phone-context"), uri.param(b"x"), uri.param(b"y")) == (b"+33", b"", None)


def test_the_memory_is_bounded() -> None:
    """Ever new URIs cost time, not memory; long ones are read and forgotten."""
    long = b"sip:" + b"a" * room.SEEN_LENGTH + b"@h"
    for number in range(room.SEEN_MAX + 10):
        assert parse_uri(b"tel:%d" % number) == TelUri(b"%d" % number, b"")
    assert parse_uri(long) == parse_uri(long)

    assert len(room._seen) <= room.SEEN_MAX
    assert long not in room._seen


@pytest.mark.parametrize(
    ("raw", "service"),
    [
        (b"urn:service:sos", "sos"),
        (b"URN:Service:SOS", "sos"),
        (b"urn:service:sos.police", "sos.police"),
        (b"urn:service:sos.animal-control", "sos.animal-control"),
        (b"urn:service:sos.ecall.automatic", "sos.ecall.automatic"),
        (b"urn:service:sosx", ""),
        (b"urn:service:sos.", ""),
        (b"urn:service:sos.-a", ""),
        (b"urn:service:sos." + b"a" * 28, ""),
        (b"urn:service:counseling", ""),
        (b"urn:service:counseling.sos", ""),
        (b"urn:service:sos@h", ""),
        (b"urn:service:sos\n", ""),
        (b"sip:sos@h", ""),
        (b"urn:service:sos" + b".a" * MAX_SERVICE, ""),
        (b"", ""),
    ],
)
def test_a_call_for_help_in_words(raw: bytes, service: str) -> None:
    """RFC 5031 §4.1: `sos` and everything below it, without case."""
    assert emergency_service(raw) == service
