"""edge.sip.headers: reading and editing the header lines of a message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.errors import FieldError, LocalError
from edge.sip.fields import _parse_usual_via, _parse_via_completely
from edge.sip.headers import header_line
from edge.sip.layout import survey
from edge.sip.message import Message, Request, parse

HEAD = (
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1, SIP/2.0/TCP h2;branch=z9hG4bK2",
    b"v:SIP/2.0/UDP h3",
    b"Max-Forwards :  70 ",
    b"From: <sip:a@b>;tag=1",
    b"To: Bob\r\n <sip:c@d>",
    b"Call-ID: x@y",
    b"CSeq: 1 INVITE",
    b"Route: <sip:r1,x;lr>,\r\n\t<sip:r2;lr>",
    b"Route: <sip:r3;lr>",
    b"Record-Route: <sip:q1;lr>",
    b"m: <sip:a@192.0.2.1>, <sip:a@192.0.2.2>",
    b"Subject:",
    b"X-Y: 1",
)


def message(*, without: bytes = b"-", extra: tuple[bytes, ...] = ()) -> Request:
    """An INVITE with these header lines, as parsed."""
    lines = [line for line in HEAD if not line.startswith(without)] + list(extra)
    made = parse(b"\r\n".join([b"INVITE sip:c@d SIP/2.0", *lines, b"", b"body"]))
    assert isinstance(made, Request)
    return made


def lines_of(edited: Message) -> list[bytes]:
    """Header lines as a peer would see them."""
    return parse(edited.render()).lines


def test_is_any_of_these_there() -> None:
    """By canonical names, compact forms included; none of them, or none asked for, is no."""
    invite = message()

    assert invite.has_any(frozenset({b"x-z", b"contact"}))
    assert not invite.has_any(frozenset({b"privacy", b"m"}))
    assert not invite.has_any(frozenset())


def test_values_are_unfolded_and_stripped() -> None:
    """One value a line, in order, whatever its name looks like."""
    invite = message()

    assert invite.values(b"via") == [HEAD[0][5:], b"SIP/2.0/UDP h3"]
    assert invite.value(b"to") == b"Bob <sip:c@d>"
    assert (invite.value(b"subject"), invite.value(b"max-forwards")) == (b"", b"70")
    assert (invite.values(b"none"), invite.value(b"none"), invite.header_lines(b"none")) == ([], None, [])
    assert invite.header_lines(b"to") == [HEAD[4]]
    assert invite.lines == list(HEAD)


def test_list_values_span_lines() -> None:
    """Commas in angle brackets do not count."""
    assert message().list_values(b"route") == [b"<sip:r1,x;lr>", b"<sip:r2;lr>", b"<sip:r3;lr>"]


def test_list_values_have_a_limit_over_all_lines() -> None:
    """128, however they are spread."""
    many = tuple([b"Route: " + b",".join([b"<sip:r>"] * 64)] * 2)

    assert len(message(extra=many[:1]).list_values(b"route")) == 67
    with pytest.raises(FieldError) as caught:
        message(extra=many).list_values(b"route")
    assert caught.value.field == "Route"


def test_typed_readings() -> None:
    """Each by its own name, kept once read."""
    invite = message()

    assert (invite.via().branch, [via.host for via in invite.vias()]) == (b"z9hG4bK1", [b"192.0.2.1", b"h2", b"h3"])
    assert (invite.from_().tag, invite.to().uri, invite.to().tag) == (b"1", b"sip:c@d", None)
    assert (invite.call_id(), invite.cseq(), invite.max_forwards()) == (b"x@y", (1, b"INVITE"), 70)
    assert [route.uri for route in invite.routes()] == [b"sip:r1,x;lr", b"sip:r2;lr", b"sip:r3;lr"]
    assert [route.uri for route in invite.record_routes()] == [b"sip:q1;lr"]
    assert [contact.uri for contact in invite.contacts()] == [b"sip:a@192.0.2.1", b"sip:a@192.0.2.2"]
    assert invite.contact() == invite.contacts()[0]
    assert (invite.from_() is invite.from_(), invite.via() is invite.via()) == (True, True)


def test_absent_is_no_error() -> None:
    """None or empty; malformed raises."""
    invite = message(without=b"m:")

    assert (invite.contact(), invite.contacts()) == (None, [])
    assert message(without=b"Max-Forwards").max_forwards() is None


@pytest.mark.parametrize("value", [b"256", b"-1", b"x", b"", b"7 0", b"00000000070"])
def test_max_forwards_out_of_range(value: bytes) -> None:
    """0 to 255 (§20.22), in ten digits at most."""
    invite = message()
    invite.replace(b"max-forwards", value)

    with pytest.raises(FieldError):
        invite.max_forwards()


@pytest.mark.parametrize(("joined", "has"), [(False, True), (True, True)])
def test_more_vias_on_one_line_or_two(joined: bool, has: bool) -> None:
    """A comma or a second line."""
    invite = message(without=b"v:" if joined else b"-")

    assert invite.has_more_vias() is has


def test_a_single_via() -> None:
    """Popped until one is left."""
    invite = message()
    invite.pop_first(b"via")
    invite.pop_first(b"via")

    assert (invite.has_more_vias(), invite.via().host) == (False, b"h3")


def test_prepend_stands_above_its_name() -> None:
    """Above the first line of that name, whatever form that is printed in."""
    invite = message()
    invite.prepend(b"Via", b"SIP/2.0/UDP us;branch=z9hG4bK0")
    invite.prepend(b"Route", b"<sip:r0;lr>")

    assert lines_of(invite)[:2] == [b"Via: SIP/2.0/UDP us;branch=z9hG4bK0", HEAD[0]]
    assert lines_of(invite)[8:10] == [b"Route: <sip:r0;lr>", HEAD[7]]
    assert (invite.via().branch, invite.vias()[0]) == (b"z9hG4bK0", invite.via())
    assert invite.routes()[0].uri == b"sip:r0;lr"


def test_prepend_of_a_new_name_stands_on_top() -> None:
    """The newest first."""
    invite = message()
    invite.prepend(b"P-One", b"1")
    invite.prepend(b"P-Two", b"2")
    invite.prepend(b"P-One", b"0")

    assert lines_of(invite)[:4] == [b"P-Two: 2", b"P-One: 0", b"P-One: 1", HEAD[0]]
    assert invite.values(b"p-one") == [b"0", b"1"]


def test_append_stands_at_the_end() -> None:
    """Also below lines of its own name."""
    invite = message()
    invite.append(b"Route", b"<sip:r4;lr>")

    assert lines_of(invite)[-1] == b"Route: <sip:r4;lr>"
    assert invite.list_values(b"route")[-1] == b"<sip:r4;lr>"


@pytest.mark.parametrize(
    ("name", "line", "position"),
    [
        (b"max-forwards", b"Max-Forwards :  69 ", 2),
        (b"to", b"To: 69", 4),
        (b"subject", b"Subject: 69", 11),
        (b"contact", b"m: 69", 10),
        (b"route", b"Route: 69", 7),
    ],
)
def test_replace_keeps_what_is_printed_around_the_value(name: bytes, line: bytes, position: int) -> None:
    """Name, colon and white space as they came; other lines of the name stay."""
    invite = message()
    invite.replace(name, b"69")

    assert invite.lines == [*HEAD[:position], line, *HEAD[position + 1 :]]


def test_replace_is_read_back() -> None:
    """Nothing stale is answered from memory."""
    invite = message()
    before = (invite.from_(), invite.to(), invite.cseq(), invite.via())
    invite.replace(b"from", b"<sip:new@b>;tag=9")
    invite.replace(b"to", b"<sip:new@d>;tag=8")
    invite.replace(b"cseq", b"7 INVITE")
    invite.replace(b"via", b"SIP/2.0/TCP new")

    after = (invite.from_(), invite.to(), invite.cseq(), invite.via())
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert (after[0].tag, after[1].tag, after[2].number, after[3].host) == (b"9", b"8", 7, b"new")


def test_remove_takes_every_line() -> None:
    """And nothing if there is none."""
    invite = message()
    invite.remove(b"route")
    invite.remove(b"none")

    assert lines_of(invite) == [*HEAD[:7], *HEAD[9:]]
    assert (invite.routes(), invite.value(b"route")) == ([], None)


NAMES = (b"Via", b"v", b"Route", b"Max-Forwards", b"X-New", b"Subject")
EDITS = st.lists(
    st.tuples(
        st.sampled_from(("prepend", "append", "replace", "remove", "pop_first", "copy")),
        st.sampled_from(NAMES),
        st.sampled_from((b"SIP/2.0/UDP n;branch=x", b"SIP/2.0/UDP o, SIP/2.0/UDP p")),
    ),
    max_size=12,
)


@given(EDITS)
def test_an_edited_message_reads_as_if_it_had_arrived_so(edits: list[tuple[str, bytes, bytes]]) -> None:
    """The index is true after every edit, whatever came before: lines, values and typed readings."""
    invite = message()
    for what, header, value in edits:
        name = {b"v": b"via"}.get(header, header.lower())
        if what == "copy":
            invite = invite.copy()
        elif what in ("prepend", "append"):
            getattr(invite, what)(header, value)
        elif what == "remove":
            invite.remove(name)
        elif invite.has(name):
            invite.pop_first(name) if what == "pop_first" else invite.replace(name, value)
        if not invite.has(b"via"):
            invite.append(b"Via", value)
        again = survey(invite.render().partition(b"\r\n\r\n")[0].split(b"\r\n")[1:])

        assert (invite.lines, invite.layout.names) == (again.rows, again.layout.names)
        assert [invite.has(name), invite.value(name)] == [bool(invite.values(name)), (*invite.values(name), None)[0]]
        assert invite.via() == invite.vias()[0]


def test_the_lines_of_a_response() -> None:
    """Vias, From, To, Call-ID, CSeq as they came, and where To stands."""
    invite = message()

    assert invite.answered_lines() == ([HEAD[0], HEAD[1], HEAD[3], HEAD[4], HEAD[5], HEAD[6]], 3)


def test_a_call_id_of_ours_is_read_back() -> None:
    """Kept as long as nobody edits it."""
    invite = message()
    before = invite.call_id()
    invite.replace(b"call-id", b"new")

    assert (before, invite.call_id()) == (b"x@y", b"new")


def test_pop_first_leaves_the_bytes_of_the_others() -> None:
    """A joined line loses its first value and the comma; an emptied line goes."""
    invite = message()

    assert invite.pop_first(b"route") == b"<sip:r1,x;lr>"
    assert invite.header_lines(b"route") == [b"Route: <sip:r2;lr>", b"Route: <sip:r3;lr>"]
    assert [invite.pop_first(b"route"), invite.pop_first(b"route")] == [b"<sip:r2;lr>", b"<sip:r3;lr>"]
    assert lines_of(invite) == [*HEAD[:7], *HEAD[9:]]
    with pytest.raises(LocalError):
        invite.pop_first(b"route")


def test_pop_first_of_a_via() -> None:
    """The next one is on top, read anew."""
    invite = message()
    assert invite.via().host == b"192.0.2.1"

    invite.pop_first(b"via")

    assert invite.via().host == b"h2"
    assert lines_of(invite)[0] == b"Via: SIP/2.0/TCP h2;branch=z9hG4bK2"


def test_all_edits_together() -> None:
    """What forwarding does to a request, in one go."""
    invite = message()
    invite.pop_first(b"route")
    invite.prepend(b"Via", b"SIP/2.0/UDP us")
    invite.prepend(b"Record-Route", b"<sip:us;lr>")
    invite.prepend(b"X-Top", b"1")
    invite.replace(b"max-forwards", b"69")
    invite.remove(b"subject")
    invite.append(b"X-Last", b"2")

    expected = [
        b"X-Top: 1", b"Via: SIP/2.0/UDP us", HEAD[0], HEAD[1], b"Max-Forwards :  69 ", *HEAD[3:7],
        b"Route: <sip:r2;lr>", HEAD[8], b"Record-Route: <sip:us;lr>", *HEAD[9:11], HEAD[12], b"X-Last: 2",
    ]  # fmt: skip
    assert lines_of(invite) == expected
    assert invite.lines == expected
    assert invite.render().endswith(b"\r\n\r\nbody")


def test_a_copy_is_its_own_message() -> None:
    """Edits of one never show in the other, whichever is edited, before or after copying."""
    invite = message()
    arrived = invite.render()
    invite.prepend(b"X-New", b"1")
    twin = invite.copy()
    twin.prepend(b"X-New", b"2")
    twin.remove(b"route")
    twin.replace(b"cseq", b"2 INVITE")
    twin.set_uri(b"sip:other")
    invite.append(b"X-Late", b"3")

    assert (invite.values(b"x-new"), twin.values(b"x-new")) == ([b"1"], [b"2", b"1"])
    assert (len(invite.routes()), len(twin.routes())) == (3, 0)
    assert (invite.cseq().number, twin.cseq().number) == (1, 2)
    assert (invite.uri, twin.uri, twin.value(b"x-late")) == (b"sip:c@d", b"sip:other", None)
    assert (invite.data, twin.body) == (arrived, b"body")


def test_a_copy_of_an_untouched_message() -> None:
    """Nothing they share can be edited."""
    invite = message()
    twin = invite.copy()
    twin.replace(b"max-forwards", b"1")
    twin.pop_first(b"route")
    twin.append(b"X-New", b"1")

    assert (invite.lines, invite.max_forwards(), twin.max_forwards()) == (list(HEAD), 70, 1)


@pytest.mark.parametrize("value", [b"a\r\nEvil: 1", b"a\nb", b"a\rb", b"a\0b"])
def test_no_value_smuggles_a_line(value: bytes) -> None:
    """CR, LF and NUL are our own error, at every door."""
    invite = message()

    for edit in (invite.prepend, invite.append):
        with pytest.raises(LocalError):
            edit(b"X-New", value)
    for name in (b"x-y", b"route"):
        with pytest.raises(LocalError):
            invite.replace(name, value)
    with pytest.raises(LocalError):
        invite.set_uri(b"sip:a" + value)
    assert invite.render() == message().render()


def test_misuse_is_said() -> None:
    """A header that is not there, a name that is none, a Via that cannot be read back, a URI of two words."""
    invite = message()

    with pytest.raises(LocalError):
        invite.replace(b"none", b"x")
    with pytest.raises(LocalError):
        invite.append(b"Bad Name", b"x")
    with pytest.raises(LocalError):
        invite.prepend(b"Via", b"nonsense")
    for uri in (b"", b"a b", b"a\tb"):
        with pytest.raises(LocalError):
            invite.set_uri(uri)


def test_a_header_line() -> None:
    """Name, colon, one space."""
    assert header_line(b"Reason", b"Q.850;cause=21") == b"Reason: Q.850;cause=21"


def test_star_is_no_from() -> None:
    """A wildcard is a Contact's privilege (§20.10)."""
    invite = message()
    invite.replace(b"from", b"*")
    invite.replace(b"contact", b"*")

    with pytest.raises(FieldError):
        invite.from_()
    contact = invite.contact()
    assert contact is not None
    assert contact.uri == b"*"


def test_removed_required_fields_read_as_absent() -> None:
    """An edit of ours may take what parsing had found; reading says so."""
    invite = message()
    for name in (b"via", b"from", b"cseq", b"call-id"):
        invite.remove(name)

    for reading in (invite.via, invite.from_, invite.cseq):
        with pytest.raises(FieldError):
            reading()
    assert (invite.call_id(), invite.has_more_vias()) == (b"", False)


def test_memories_are_bounded() -> None:
    """Ever new spellings of Max-Forwards and ever new names of ours cost time, not memory."""
    from edge.sip import headers as room

    invite = message()
    for number in range(max(room._HOPS_SEEN_MAX, room._NAMES_SEEN_MAX) + 10):
        invite.push_via(b"SIP/2.0/UDP h%d;branch=" % number, b"z9hG4bK1")
        invite.replace(b"max-forwards", b"%0*d" % (1 + number % 10, number % 256))
        invite.copy().spend_hop()
        assert (invite.max_forwards(), invite.max_forwards()) == (number % 256, number % 256)
        assert header_line(b"X-%d" % number, b"v") == b"X-%d: v" % number

    assert len(room._hops_seen) <= room._HOPS_SEEN_MAX
    assert len(room._hops_spent) <= room._HOPS_SEEN_MAX
    assert len(room._sent_bys_read) <= room._NAMES_SEEN_MAX
    assert len(room._names_seen) <= room._NAMES_SEEN_MAX
    invite.replace(b"max-forwards", b"000250")
    invite.max_forwards()
    [line] = invite.header_lines(b"max-forwards")
    invite.copy().spend_hop()
    assert line in room._hops_seen
    assert line in room._hops_spent, "what comes after a flood is remembered too"


TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=20).map(str.encode)
SENT_BYS = st.sampled_from(
    [b"SIP/2.0/UDP 192.0.2.1:5060", b"SIP/2.0/TLS [2001:db8::1]:5061", b"SIP/2.0/TCP edge.example"]
)
PARAMS = st.sampled_from([b"", b";oc", b';oc;oc-algo="loss,rate"', b";x=1"])


@given(SENT_BYS, TOKENS, PARAMS, st.sampled_from([b"-", b"v", b"V"]))
def test_our_via_is_what_prepend_and_parse_make_of_it(
    sent_by: bytes, branch: bytes, params: bytes, without: bytes
) -> None:
    """Byte for byte, index and reading too; also where the branch is followed by more, and on top of other names."""
    short, complete = message(), message()
    for invite in (short, complete):
        if without != b"-":
            invite.prepend(without, b"SIP/2.0/UDP above;branch=z9hG4bK0")
    short.push_via(sent_by + b";branch=", branch + params)
    complete.prepend(b"Via", sent_by + b";branch=" + branch + params)

    assert short.render() == complete.render()
    assert (short.layout, short.via()) == (complete.layout, complete.via())
    value = sent_by + b";branch=" + branch + params
    assert short.via() == (_parse_usual_via(value) or _parse_via_completely(value))


@pytest.mark.parametrize("sent_by", [b"SIP/2.0/UDP h", b"SIP/2.0/UDP h;rport;branch=", b"nonsense;branch="])
def test_a_sent_by_of_ours_ends_before_the_branch(sent_by: bytes) -> None:
    """Anything else is our own error."""
    with pytest.raises(LocalError):
        message().push_via(sent_by, b"z9hG4bK1")


@given(st.integers(1, 255), st.sampled_from([b"Max-Forwards: %d", b"max-forwards :%d", b"MAX-FORWARDS:\t%03d "]))
def test_a_hop_spent_is_a_hop_less(hops: int, printed: bytes) -> None:
    """As `replace` with the lower number makes it, the first time and from memory; 0 stays."""
    for _ in range(2):
        short, complete = (message(without=b"Max-", extra=(printed % hops,)) for _ in range(2))
        complete.replace(b"max-forwards", b"%d" % (hops - 1))
        assert short.spend_hop()
        assert (short.render(), short.max_forwards()) == (complete.render(), hops - 1)
    none = message(without=b"Max-")
    assert (none.spend_hop(), none.render()) == (False, message(without=b"Max-").render())


VIAS = st.lists(
    st.sampled_from([
        b"SIP/2.0/UDP h1;branch=z9hG4bK1", b"SIP/2.0/UDP h2;branch=z9hG4bK2;rport=5060;received=192.0.2.1",
        b"SIP / 2.0 / TCP h3", b'SIP/2.0/TCP h4;x="a,b"',
    ]),
    min_size=1,
    max_size=4,
)  # fmt: skip
GLUE = st.sampled_from([b", ", b",", b" ,  ", b",\r\n ", b"\r\nv: ", b"\r\nVia:"])


@given(VIAS, GLUE, st.booleans())
def test_the_top_via_goes_as_any_first_value_does(vias: list[bytes], glue: bytes, is_last: bool) -> None:
    """`drop_via` leaves the bytes that `pop_first` leaves, joined by commas or not; where none would be left it touches
    nothing, unless it is to be the last."""
    came = message()
    came.remove(b"via")
    came.prepend(b"X-Vias", b"*")
    data = came.render().replace(b"X-Vias: *", b"Via: " + glue.join(vias))
    short, complete = parse(data), parse(data)

    dropped = short.drop_via(is_last=is_last)
    assert dropped is (is_last or len(vias) > 1)
    if dropped:
        complete.pop_first(b"via")
        assert (short.layout, short.has(b"via")) == (complete.layout, len(vias) > 1)
        assert not short.has(b"via") or short.via() == complete.via()
    assert short.render() == complete.render()
