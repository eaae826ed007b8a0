"""Digest authentication on paper: the examples of RFC 7616 §3.9.1, what RFC 8760 changes, and hostile headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip import digest
from edge.sip.digest import Credentials
from edge.sip.errors import FieldError

NONCE = b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MUFASA = (
    b'Digest username="Mufasa",\t realm="http-auth@example.org", uri="/dir/index.html", algorithm=%b, nonce="'
    + NONCE
    + b'", nc=00000001, cnonce="'
    + CNONCE
    + b'", qop=auth, response="%b", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RESPONSES = {
    b"MD5": b"8ca523f5e9506fed4657c9700eebdbec",
    b"SHA-256": b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


def secret(algorithm: bytes) -> str:
    return digest.secret_of(algorithm, b"Mufasa", b"http-auth@example.org", b"Circle of Life")


@pytest.mark.parametrize("algorithm", RESPONSES)
def test_the_examples_of_the_rfc(algorithm):
    """RFC 7616 §3.9.1, both algorithms."""
    found = digest.parse_credentials(MUFASA % (algorithm, RESPONSES[algorithm]))
    assert found is not None
    assert digest.response_of(found, secret(found.algorithm), b"GET", b"") == RESPONSES[algorithm].decode()
    assert digest.is_right(found, secret(found.algorithm), b"GET", b"any")
    assert not digest.is_right(found, secret(found.algorithm), b"PUT", b"")
    assert not digest.is_right(found._replace(nc=b"00000002"), secret(found.algorithm), b"GET", b"")


@pytest.mark.parametrize(
    ("qop", "body", "by_hand"),
    [
        # md5(ha1:n:00000001:c:auth-int:md5(INVITE:sip:x:md5(body))), worked out with another tool
        (b"auth-int", b"v=0", "md5(md5(u:r:p):n:00000001:c:auth-int:md5(INVITE:sip:x:md5(v=0)))"),
        (b"auth-int", b"", "md5(md5(u:r:p):n:00000001:c:auth-int:md5(INVITE:sip:x:md5()))"),
        (b"auth", b"v=0", "md5(md5(u:r:p):n:00000001:c:auth:md5(INVITE:sip:x))"),
        (b"", b"v=0", "md5(md5(u:r:p):n:md5(INVITE:sip:x))"),
    ],
)
def test_each_quality_of_protection(qop, body, by_hand):
    """RFC 7616 §3.4.1, and §3.4.1 of RFC 2617 without qop. The formula is evaluated from its text."""
    from hashlib import md5

    def evaluate(text: str) -> str:
        while "md5(" in text:
            start = text.rindex("md5(")
            end = text.index(")", start)
            text = text[:start] + md5(text[start + 4 : end].encode()).hexdigest() + text[end + 1 :]
        return text

    found = Credentials(b"u", b"r", b"n", b"sip:x", b"", b"md5", qop, b"00000001", b"c")
    assert digest.response_of(found, digest.secret_of(b"md5", b"u", b"r", b"p"), b"INVITE", body) == evaluate(by_hand)


def test_a_quality_nobody_offered():
    """No guess is made at what it could mean."""
    found = Credentials(b"u", b"r", b"n", b"sip:x", b"", b"md5", b"auth-conf", b"00000001", b"c")
    with pytest.raises(FieldError):
        digest.response_of(found, "0" * 32, b"INVITE", b"")


@pytest.mark.parametrize(
    "value",
    [
        b"Digest",
        b"Digest ",
        b"Digest username",
        b'Digest username="a"',
        b'Digest username="a" realm="b", nonce="c", uri="d", response="e"',  # no comma
        b'Digest username="a", username="b", realm="b", nonce="c", uri="d", response="e"',
        b'Digest username="a", realm="b", nonce="c", uri="d", response="e", qop=auth',
        b'Digest username="a", realm="b", nonce="c", uri="d", response="e", qop=auth, nc=1, cnonce="x"',
        b'Digest username="a", realm="b", nonce="c", uri="d", response="e", qop=auth, nc=0000000g, cnonce="x"',
        b'Digest username="a, realm="b", nonce="c", uri="d", response="e"',
        b"Digest " + b", ".join(b"p%d=1" % number for number in range(99)),
    ],
)
def test_what_is_no_digest(value):
    """Scheme right, the rest not: a fault, never a guess."""
    if value == b"Digest":
        assert digest.parse_credentials(value) is None
        return
    with pytest.raises(FieldError):
        digest.parse_credentials(value)


def test_another_scheme_is_not_ours():
    """Basic MUST NOT be accepted (RFC 8760 §2.6)."""
    assert digest.parse_credentials(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") is None


def test_words_are_read_as_they_are_meant():
    """Names in any case, escapes undone, tokens for quoted strings, MD5 where nothing is said."""
    found = digest.parse_credentials(
        rb'DIGEST USERNAME="o\"neil" , Realm="a\\b",nonce=n1,uri="sip:b@x;p=1,2",response="ABCDEF" , QOP=AUTH,'
        rb'NC=0000000A,cnonce="c"'
    )
    assert found == Credentials(
        b'o"neil', b"a\\b", b"n1", b"sip:b@x;p=1,2", b"abcdef", b"md5", b"auth", b"0000000A", b"c"
    )


@given(st.binary(max_size=300))
def test_nothing_that_comes_escapes(data):
    """Only FieldError, whatever follows the scheme."""
    for value in (data, b"Digest " + data, b'Digest username="' + data):
        try:
            digest.parse_credentials(value)
        except FieldError:
            continue


@given(st.text('ab"\\ ', max_size=12), st.booleans(), st.sampled_from([b"MD5", b"SHA-256"]))
def test_a_challenge_says_what_it_was_made_of(realm, is_stale, algorithm):
    """It is read back as it was meant, whatever the realm; qop is always there (RFC 8760 §2.6 item 8)."""
    value = digest.challenge(realm.encode(), b"n", algorithm, is_stale=is_stale)
    found = digest.parse_challenge(value)
    assert found is not None
    assert (found[b"realm"], found[b"nonce"], found[b"qop"], found[b"algorithm"], found.get(b"stale")) == (
        realm.encode(),
        b"n",
        b"auth,auth-int",
        algorithm,
        b"true" if is_stale else None,
    )
