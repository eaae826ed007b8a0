"""edge.sip.grammar: names, tokens, addresses."""

import pytest

from edge.sip.grammar import CSEQ, GENERIC_PARAMS, HEADER_NAME, LIST_PIECE, canonical, ipv6_text, is_clean, is_token


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        (b"Via", b"via"),
        (b"VIA", b"via"),
        (b"v", b"via"),
        (b"V", b"via"),
        (b"i", b"call-id"),
        (b"Call-ID", b"call-id"),
        (b"m", b"contact"),
        (b"l", b"content-length"),
        (b"x", b"session-expires"),
        (b"P-Asserted-Identity", b"p-asserted-identity"),
        (b"X-Unknown", b"x-unknown"),
        (b"q", b"q"),
        (b"", b""),
    ],
)
def test_canonical_names(printed: bytes, name: bytes) -> None:
    """Long form, lower case, compact forms known."""
    assert canonical(printed) == name


@pytest.mark.parametrize(
    ("text", "is_one"),
    [(b"INVITE", True), (b"a-.!%*_+`'~", True), (b"", False), (b"a b", False), (b"a\n", False), (b"\xe9", False)],
)
def test_tokens(text: bytes, is_one: bool) -> None:
    """token of §25.1."""
    assert is_token(text) is is_one


@pytest.mark.parametrize(
    ("line", "name"),
    [(b"To: x", b"To:"), (b"To \t: x", b"To \t:"), (b": x", None), (b"T o: x", None), (b" To: x", None), (b"To", None)],
)
def test_header_names(line: bytes, name: bytes | None) -> None:
    """White space may stand before the colon, nowhere else."""
    match = HEADER_NAME.match(line)

    assert (match and match.group()) == name


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        (b"2001:db8::1", "2001:db8::1"),
        (b"2001:DB8:0:0::1", "2001:db8::1"),
        (b"::ffff:192.0.2.1", "::ffff:c000:201"),
        (b"2001:db8:::192.0.2.1", None),
        (b"192.0.2.1", None),
        (b"", None),
        (b"::\xff", None),
        (b"1:" * 40, None),
    ],
)
def test_ipv6_spellings(text: bytes, spelling: str | None) -> None:
    """One spelling for each address; the same answer from memory."""
    assert (ipv6_text(text), ipv6_text(text)) == (spelling, spelling)


def test_the_memory_for_ipv6_is_bounded() -> None:
    """A sender cannot fill it."""
    from edge.sip import grammar

    for number in range(grammar._IPV6_SEEN_MAX + 10):
        ipv6_text(b"2001:db8::%x" % number)

    assert len(grammar._IPV6_SEEN) <= grammar._IPV6_SEEN_MAX


@pytest.mark.parametrize(
    ("text", "clean"),
    [(b"plain", True), (b"a\rb", False), (b"a\nb", False), (b"a\0b", False), (b'"a\\\0b"', True), (b"\\\0\0", False)],
)
def test_clean_values(text: bytes, clean: bool) -> None:
    """No line end; a NUL only as a quoted-pair."""
    assert is_clean(text) is clean


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (b"", True),
        (b";lr", True),
        (b" ; a = b ;c", True),
        (b';a="x;y,z \\" "', True),
        (b";a=", True),
        (b";a=[::1]:5060", True),
        (b";", False),
        (b";;a", False),
        (b"a", False),
        (b";a=b c", False),
        (b';a="open', False),
        (b";a=<b>", False),
    ],
)
def test_parameters(text: bytes, sound: bool) -> None:
    """*( SEMI generic-param ), no wider than peers need."""
    assert (GENERIC_PARAMS.fullmatch(text) is not None) is sound


def test_pieces_of_a_list_cover_every_byte() -> None:
    """No piece is lost, whatever stays open."""
    for text in (b'a,"b,c",<d,e>,f', b'"open, and so on', b"<open, and so on", b'"a\\', b'\\",\\'):
        assert b"".join(piece.group() for piece in LIST_PIECE.finditer(text)) == text


def test_cseq_with_zeros_in_front() -> None:
    """Leading zeros count for nothing (RFC 4475 §3.1.1.1)."""
    match = CSEQ.fullmatch(b"0" * 60 + b"9   INVITE")

    assert match is not None
    assert match.groups() == (b"9", b"INVITE")
