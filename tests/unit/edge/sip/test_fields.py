"""edge.sip.fields: typed readings of header values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip import fields
from edge.sip.errors import FieldError, LocalError
from edge.sip.fields import (
    CSeq,
    NameAddr,
    cut_first,
    param,
    parse_cseq,
    parse_name_addr,
    parse_via,
    split_list,
    stamp_via,
    unfold,
)


@pytest.mark.parametrize(
    ("value", "via"),
    [
        (b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", (b"UDP", b"192.0.2.1", 5060, b"z9hG4bK1", None, None)),
        (b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;rport", (b"UDP", b"192.0.2.1", None, b"z9hG4bK1", None, 0)),
        (b"SIP/2.0/UDP h;rport;branch=z9hG4bK1", (b"UDP", b"h", None, b"z9hG4bK1", None, 0)),
        (b"SIP/2.0/UDP h;branch=a;received=192.0.2.9;rport=1024", (b"UDP", b"h", None, b"a", b"192.0.2.9", 1024)),
        (b"SIP/2.0/tls h", (b"TLS", b"h", None, None, None, None)),
        (b"sip / 2.0 / tcp \t h : 5061 ; Branch = a ; RPORT", (b"TCP", b"h", 5061, b"a", None, 0)),
        (
            b"SIP/2.0/UDP [2001:db8::9]:5060;received=[2001:db8::1];branch=a",
            (b"UDP", b"2001:db8::9", 5060, b"a", b"2001:db8::1", None),
        ),
        (b'SIP/2.0/UDP h;c="a;rport=7";branch=a', (b"UDP", b"h", None, b"a", None, None)),
        (b"SIP/2.0/UDP h;;branch=a;", (b"UDP", b"h", None, b"a", None, None)),
        (b"SIP/2.0/UDP h;branch", (b"UDP", b"h", None, b"", None, None)),
        (b"SIP/7.0/UDP h;branch=a", (b"UDP", b"h", None, b"a", None, None)),
        (b"SIP/2.0/UDP my_host.example.;branch=a", (b"UDP", b"my_host.example.", None, b"a", None, None)),
    ],
)
def test_via(value: bytes, via: tuple[object, ...]) -> None:
    """Transport, sent-by, branch, received and rport; raw and params are what came."""
    parsed = parse_via(value)

    assert parsed[:6] == via
    assert parsed.raw == value
    assert value.endswith(parsed.params)
    assert parsed.params[:1] in (b"", b";")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"SIP/2.0/UDP",
        b"SIP/2.0 h",
        b"SIP/2.0/UDP h:65536;branch=a",
        b"SIP/2.0/UDP h:;branch=a",
        b"SIP/2.0/UDP h:123456",
        b"SIP/2.0/UDP [::1;branch=a",
        b"SIP/2.0/UDP [1:2];branch=a",
        b"SIP/2.0/UDP -h;branch=a",
        b"SIP/2.0/UDP h-;branch=a",
        b"SIP/2.0/UDP h;branch=a;branch=b",
        b"SIP/2.0/UDP h;rport=x",
        b"SIP/2.0/UDP h;rport=70000",
        b"SIP/2.0/UDP h;rport;branch=a;rport",
        b"SIP/2.0/UDP h branch=a",
        b'SIP/2.0/UDP h;a="',
        b"SIP/2.0/UDP a b",
        b"SIP/2.0/UDP h;a=b,SIP/2.0/UDP i",
        b"HTTP/1.1/UDP h",
    ],
)
def test_a_malformed_via(value: bytes) -> None:
    """Two readings of one Via are as bad as none."""
    with pytest.raises(FieldError) as caught:
        parse_via(value)

    assert caught.value.field == "Via"


@given(
    st.sampled_from((b"UDP", b"TCP", b"udp", b"WS")),
    st.from_regex(rb"[A-Za-z0-9.-]{1,12}", fullmatch=True),
    st.sampled_from((b"", b":5060", b":0", b":99999")),
    st.sampled_from((b"", b";rport")),
    st.from_regex(rb"[A-Za-z0-9!~._;=\-]{0,12}", fullmatch=True),
    st.sampled_from(
        (
            b"",
            b";rport",
            b";x",
            b";rport=5061;received=192.0.2.9",
            b";rport=70000",
            b";received=1.2.3.4",
            b";received=h",
        )
    ),
)
def test_the_short_cut_for_vias_is_none_but_a_short_cut(
    transport: bytes, host: bytes, port: bytes, before: bytes, branch: bytes, after: bytes
) -> None:
    """What the usual pattern takes, the complete one takes, and reads the same."""
    value = b"SIP/2.0/%b %b%b%b;branch=%b%b" % (transport, host, port, before, branch, after)

    try:
        complete = fields._parse_via_completely(value)
    except FieldError:
        complete = None
        with pytest.raises(FieldError):
            parse_via(value)
    else:
        assert parse_via(value) == complete

    assert fields._parse_usual_via(value) in (None, complete)


@pytest.mark.parametrize("value", [b"SIP/2.0/UDP h:5060;branch=a;rport", b"SIP/2.0/UDP h;rport;branch=a"])
def test_the_usual_via_takes_the_short_cut(value: bytes) -> None:
    """As it comes, and as we have stamped it."""
    assert fields._parse_usual_via(value) is not None
    if value.endswith(b"rport"):
        assert fields._parse_usual_via(stamp_via(value, b"192.0.2.1", 5060, False)) is not None


@given(
    st.sampled_from((b"192.0.2.1", b"h", b"[2001:db8::1]", b" h")),
    st.sampled_from((b"", b":5060")),
    st.lists(
        st.sampled_from((b"branch=a", b"rport", b"x", b'c="y;rport"', b" rport", b"received=h", b"rport ")), max_size=4
    ),
    st.sampled_from((b"", b",SIP/2.0/UDP g;branch=b;rport", b" , SIP/2.0/UDP g")),
    st.sampled_from((b"192.0.2.1", b"2001:db8::1", b"192.0.2.2")),
)
def test_what_is_stamped_reads_as_it_was_stamped(
    host: bytes, port: bytes, params: list[bytes], more: bytes, source: bytes
) -> None:
    """The reading that stamping leaves behind is the one the bytes give; of a list only the first value changes."""
    value = b"SIP/2.0/UDP " + b";".join((host + port, *params))
    try:
        asked = parse_via(value.strip())
    except FieldError:
        return
    fields._vias_seen.clear()
    stamped = stamp_via(value + more, source, 1024, False)
    top = split_list(stamped)[0]

    assert split_list(stamped)[1:] == split_list(value + more)[1:]
    assert parse_via(top) == fields._parse_via_completely(top)
    if asked.rport == 0:
        assert (parse_via(top).rport, parse_via(top).received) == (1024, source)


@pytest.mark.parametrize(
    ("value", "force", "stamped"),
    [
        (b"SIP/2.0/UDP 192.0.2.1:5060;branch=a", False, b"SIP/2.0/UDP 192.0.2.1:5060;branch=a"),
        (b"SIP/2.0/UDP 192.0.2.1;branch=a", True, b"SIP/2.0/UDP 192.0.2.1;branch=a;rport=1024;received=192.0.2.1"),
        (
            b"SIP/2.0/UDP 192.0.2.1;branch=a;rport",
            False,
            b"SIP/2.0/UDP 192.0.2.1;branch=a;rport=1024;received=192.0.2.1",
        ),
        (
            b"SIP/2.0/UDP 192.0.2.1;rport;branch=a",
            False,
            b"SIP/2.0/UDP 192.0.2.1;rport=1024;branch=a;received=192.0.2.1",
        ),
        (b"SIP/2.0/UDP 10.0.0.1;branch=a", False, b"SIP/2.0/UDP 10.0.0.1;branch=a;received=192.0.2.1"),
        (b"SIP/2.0/UDP pbx.example.com;branch=a", False, b"SIP/2.0/UDP pbx.example.com;branch=a;received=192.0.2.1"),
        (
            b"SIP/2.0/UDP 192.0.2.1;received=6.6.6.6;branch=a",
            False,
            b"SIP/2.0/UDP 192.0.2.1;branch=a;received=192.0.2.1",
        ),
        (b"SIP/2.0/UDP 10.0.0.1;branch=a;rport=7", True, b"SIP/2.0/UDP 10.0.0.1;branch=a;rport=7;received=192.0.2.1"),
        (
            b"SIP/2.0/UDP 10.0.0.1 ; branch=a , SIP/2.0/UDP h;rport",
            False,
            b"SIP/2.0/UDP 10.0.0.1 ; branch=a;received=192.0.2.1 , SIP/2.0/UDP h;rport",
        ),
        (
            b"SIP/2.0/UDP 10.0.0.1;rport, SIP/2.0/UDP h;rport",
            False,
            b"SIP/2.0/UDP 10.0.0.1;rport=1024;received=192.0.2.1, SIP/2.0/UDP h;rport",
        ),
        (b"SIP/2.0/UDP 10.0.0.1", True, b"SIP/2.0/UDP 10.0.0.1;rport=1024;received=192.0.2.1"),
        (
            b'SIP/2.0/UDP 10.0.0.1;c="x;rport";rport',
            False,
            b'SIP/2.0/UDP 10.0.0.1;c="x;rport";rport=1024;received=192.0.2.1',
        ),
    ],
)
def test_stamping_a_via(value: bytes, force: bool, stamped: bytes) -> None:
    """received and rport as the source demands (RFC 3261 §18.2.1, RFC 3581 §4), nothing else moved."""
    assert stamp_via(value, b"192.0.2.1", 1024, force) == stamped


def test_stamping_knows_the_spellings_of_ipv6() -> None:
    """One address in two spellings is no difference; another address is one, and gets no brackets."""
    value = b"SIP/2.0/UDP [2001:DB8:0::1];branch=a"

    assert stamp_via(value, b"2001:db8::1", 5060, False) == value
    assert stamp_via(value, b"2001:db8::2", 5060, False) == value + b";received=2001:db8::2"
    assert parse_via(stamp_via(value, b"2001:db8::2", 5060, True)).received == b"2001:db8::2"


def test_stamping_guards_what_it_writes() -> None:
    """A source host is a numeric address and nothing else."""
    with pytest.raises(LocalError):
        stamp_via(b"SIP/2.0/UDP h", b"1;x", 5060, False)
    with pytest.raises(FieldError):
        stamp_via(b"nonsense", b"192.0.2.1", 5060, False)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (b"<sip:a@b>;tag=1", (b"", b"sip:a@b", b";tag=1", b"1")),
        (b"sip:a@b;tag=1", (b"", b"sip:a@b", b";tag=1", b"1")),
        (b"sip:a@b", (b"", b"sip:a@b", b"", None)),
        (b"sip:a@b ; tag = 1", (b"", b"sip:a@b", b"; tag = 1", b"1")),
        (b"Bob <sip:a@b;x=y?z=1>;q=0.1;TAG=1", (b"Bob", b"sip:a@b;x=y?z=1", b";q=0.1;TAG=1", b"1")),
        (b"A. B\xc3\xa9 C <sip:a@b> ; tag=1", (b"A. B\xc3\xa9 C", b"sip:a@b", b"; tag=1", b"1")),
        (b"caller<sip:a@b>", (b"caller", b"sip:a@b", b"", None)),
        (
            b'"a \\" <x>;tag=0, " <sip:a@b>;n="tag=2";tag=1',
            (b'"a \\" <x>;tag=0, "', b"sip:a@b", b';n="tag=2";tag=1', b"1"),
        ),
        (b'""<sip:a@b>', (b'""', b"sip:a@b", b"", None)),
        (b"*", (b"", b"*", b"", None)),
        (b"<isbn:2983792873>", (b"", b"isbn:2983792873", b"", None)),
    ],
)
def test_addresses(value: bytes, address: tuple[object, ...]) -> None:
    """name-addr and addr-spec; in an addr-spec the parameters belong to the header (§20)."""
    parsed = parse_name_addr(value)

    assert parsed[:4] == address
    assert parsed.raw == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"bob",
        b"<>",
        b"<sip:a@b",
        b'"open <sip:a@b>',
        b'"a" sip:a@b',
        b"< sip:a@b>",
        b"<sip:a@b >",
        b"<sip:a b>",
        b"a, b <sip:a@b>",
        b"sip:a@b?x=y",
        b"sip:a,b@c",
        b"<sip:a@b> tag=1",
        b"<sip:a@b>;tag=",
        b'<sip:a@b>;tag="1"',
        b"<sip:a@b>;tag=1;Tag=2",
        b"<sip:a@b>;;",
        b"<sip:a@b>;tag=1, <sip:c>",
        b'<sip:a"b>',
        b"<sip:a<b>",
        b"<sip:a\tb>",
        b"a;b <sip:a>",
        b"sip:a@b>",
        b"<sip:a@b>>",
        b"<tel:+33123456789>;tag",
    ],
)
def test_malformed_addresses(value: bytes) -> None:
    """What two readers could read in two ways is refused."""
    with pytest.raises(FieldError) as caught:
        parse_name_addr(value, "From")

    assert caught.value.field == "From"


@given(
    st.from_regex(rb"(\"[a-z \\\\]{0,4}\"|[a-z.,]{0,4}) ?", fullmatch=True),
    st.from_regex(rb"(sip:|sips:|tel:|[a-z]{0,3}:?)[a-z@;?,<\" \t]{0,5}", fullmatch=True),
    st.sampled_from((b"", b";tag=1", b";tag=", b";tag=a;tag=b", b";tag=a/b", b" ;tag=1", b";x", b";tar=1", b">")),
)
def test_the_short_cut_for_addresses_is_none_but_a_short_cut(display: bytes, uri: bytes, params: bytes) -> None:
    """What the usual pattern takes, the complete one takes, and reads the same."""
    value = b"%b<%b>%b" % (display, uri, params)

    fields._addresses_seen.clear()

    def reading(short: bool) -> NameAddr | str:
        try:
            return parse_name_addr(value) if short else fields._parse_name_addr_completely(value, "address")
        except FieldError as error:
            return error.reason

    assert reading(True) == reading(False)


def test_parameters_of_an_address() -> None:
    """Those of the header, not those of the URI."""
    address = parse_name_addr(b"<sip:a@b;lr>;q=0.5;flag")

    assert (address.param(b"q"), address.param(b"flag"), address.param(b"lr")) == (b"0.5", b"", None)


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        (b";a=1;B = 2", b"b", b"2"),
        (b";a=1;b", b"b", b""),
        (b";ab=1", b"b", None),
        (b"", b"b", None),
        (b';a="x;b=3";b=4', b"b", b"4"),
        (b';b="q;r"', b"b", b'"q;r"'),
        (b";xb=1;b=2", b"b", b"2"),
        (b';a="open;b=3', b"b", None),
        (b";b=1;b=2", b"b", b"1"),
    ],
)
def test_param(raw: bytes, name: bytes, value: bytes | None) -> None:
    """Names without case, quotes respected, a flag is empty."""
    assert param(raw, name) == value


@pytest.mark.parametrize(
    ("value", "values"),
    [
        (b"a", [b"a"]),
        (b" a , b\t", [b"a", b"b"]),
        (b"a,,b", [b"a", b"", b"b"]),
        (b"", [b""]),
        (b'"a,b" <c,d>, e', [b'"a,b" <c,d>', b"e"]),
        (b'"a\\",b", c', [b'"a\\",b"', b"c"]),
        (b'"open, b', [b'"open, b']),
        (b"<open, b", [b"<open, b"]),
        (b'a,"b', [b"a", b'"b']),
        (b"a\r\n , b", [b"a", b"b"]),
    ],
)
def test_comma_lists(value: bytes, values: list[bytes]) -> None:
    """Commas in quotes and angle brackets do not count."""
    first, rest = cut_first(value)

    assert split_list(value) == values
    assert first.strip(b" \t\r\n") == values[0]
    assert (rest is None) == (len(values) == 1)
    assert value == (first if rest is None else first + b"," + rest)


def test_a_list_has_a_limit() -> None:
    """128 values pass, one more does not."""
    assert len(split_list(b",".join([b"a"] * 128))) == 128
    with pytest.raises(FieldError):
        split_list(b",".join([b"a"] * 129))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (b" a ", b"a"),
        (b"a\r\n b", b"a b"),
        (b" a \r\n\t  b\r\n c ", b"a b c"),
        (b"\r\n a", b"a"),
        (b"", b""),
        (b"a\r\n ", b"a"),
    ],
)
def test_folds(value: bytes, plain: bytes) -> None:
    """A fold and the white space around it are one space (§7.3.1)."""
    assert unfold(value) == plain


@pytest.mark.parametrize(
    ("value", "cseq"),
    [
        (b"1 INVITE", (1, b"INVITE")),
        (b"0009 \t INVITE", (9, b"INVITE")),
        (b"2147483647 x", (2147483647, b"x")),
        (b"0 A", (0, b"A")),
    ],
)
def test_cseq(value: bytes, cseq: tuple[int, bytes]) -> None:
    """Number and method."""
    assert parse_cseq(value) == CSeq(*cseq)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1",
        b"INVITE",
        b"1INVITE",
        b"-1 INVITE",
        b"2147483648 INVITE",
        b"99999999999 INVITE",
        b"1 IN VITE",
        b"1 IN/VITE",
        b"1_0 INVITE",
    ],
)
def test_malformed_cseq(value: bytes) -> None:
    """Under 2**31, and one token."""
    with pytest.raises(FieldError):
        parse_cseq(value)


def test_memories_are_bounded() -> None:
    """Ever new values cost time, not memory; long ones are read and forgotten."""
    for number in range(fields.SEEN_MAX + 10):
        assert parse_via(b"SIP/2.0/UDP h%d;branch=a;rport" % number).host == b"h%d" % number
        assert parse_name_addr(b"<sip:a%d@b>" % number).uri == b"sip:a%d@b" % number
        stamped = stamp_via(b"SIP/2.0/UDP h;branch=a;rport", b"192.0.2.1", number, False)
        assert stamped == b"SIP/2.0/UDP h;branch=a;rport=%d;received=192.0.2.1" % number
    long = b"a" * fields.SEEN_LENGTH
    for _ in range(2):
        assert parse_via(b"SIP/2.0/UDP h;branch=" + long).branch == long
        assert parse_name_addr(b"<sip:%b>" % long).uri == b"sip:" + long
        assert stamp_via(b"SIP/2.0/UDP h;branch=%b;rport" % long, b"192.0.2.1", 5060, False).endswith(
            b"received=192.0.2.1"
        )

    stores = (fields._vias_seen, fields._addresses_seen, fields._sent_bys_seen, fields._stamps_seen)
    assert max(map(len, stores)) <= fields.SEEN_MAX
    assert not any(long in value for store in stores[:3] for value in store)
