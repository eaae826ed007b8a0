"""Answers to challenges: what a server that knows the password would say of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.digest import HASHES, is_right, parse_credentials, secret_of
from edge.sip.digest_client import Challenge, answer, challenge_of
from edge.sip.message import parse

MD5 = 'Digest realm="h", nonce="n1", algorithm=MD5, qop="auth"'
SHA = 'Digest realm="h", nonce="n2", algorithm=SHA-256, qop="auth,auth-int", opaque="o"'


def response(*values, status=401):
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    lines = [
        f"SIP/2.0 {status} X",
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
        "From: <sip:a@h>;tag=1",
        "To: <sip:b@h>;tag=2",
    ]
    lines += ["Call-ID: c", "CSeq: 1 INVITE", *[f"{name}: {value}" for value in values], "Content-Length: 0", "", ""]
    return parse("\r\n".join(lines).encode())


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize(
    ("values", "algorithm", "qop", "nonce"),
    [
        ([MD5, SHA], b"sha-256", b"auth", b"n2"),
        ([SHA, MD5], b"sha-256", b"auth", b"n2"),
        (['Digest realm="h", nonce="x"'], b"md5", b"", b"x"),
        (['Digest realm="h", nonce="x", qop="auth-int"'], b"md5", b"auth-int", b"x"),
        (['Basic realm="h"', MD5], b"md5", b"auth", b"n1"),
        (['Digest realm="h", nonce="x", algorithm=SHA-512-256', MD5], b"md5", b"auth", b"n1"),
        (['Digest realm="h" nonsense', MD5], b"md5", b"auth", b"n1"),
    ],
)
def test_the_best_of_the_challenges_is_answered(status, values, algorithm, qop, nonce):
    """The strongest algorithm we know, `auth` before `auth-int`; what cannot be read is as if it were not there."""
    found = challenge_of(response(*values, status=status))
    assert (found.algorithm, found.qop, found.nonce) == (algorithm, qop, nonce)
    assert found.header == (b"Authorization" if status == 401 else b"Proxy-Authorization")


@pytest.mark.parametrize(
    "value",
    [
        "Basic realm=h",
        'Digest realm="h"',
        'Digest nonce="n"',
        'Digest realm="h", nonce=""',
        'Digest realm="h", nonce="n", algorithm=MD5-sess',
        'Digest realm="h", nonce="n", algorithm=sha1',
        'Digest realm="h", nonce="n", qop="auth-conf"',
        f'Digest realm="h", nonce="{"n" * 513}"',
        f'Digest realm="{"r" * 513}", nonce="n"',
        f'Digest realm="h", nonce="n", opaque="{"o" * 513}"',
        'Digest realm="h", nonce="a", nonce="b"',
        'Digest realm="h", nonce="a\\\0"',
        "Digest " + ", ".join(f'p{number}="x"' for number in range(33)),
    ],
)
def test_what_cannot_be_answered_is_not(value):
    """Missing parts, unknown algorithms and protections, too long, said twice."""
    assert challenge_of(response(value)) is None


def test_a_second_place_is_not_looked_at():
    """A challenge in the field that does not belong to the status is none; nor the ninth of them."""
    assert challenge_of(response(MD5, status=407)) is not None
    assert challenge_of(parse(response(MD5).render().replace(b"401 X", b"407 X"))) is None
    assert challenge_of(response(*["Basic realm=h"] * 8, MD5)) is None


def test_only_the_realm_that_is_meant_is_answered():
    """Another server's question, handed on by a trunk, would be answered with a hash that is good there."""
    assert challenge_of(response(MD5), b"h") is not None
    assert challenge_of(response(MD5), b"other") is None


def test_stale_is_read():
    assert challenge_of(response(MD5 + ", stale=TRUE")).is_stale
    assert not challenge_of(response(MD5)).is_stale


def test_the_example_of_the_rfc():
    """RFC 7616 §3.9.1, both algorithms."""
    for algorithm, expected in (
        (b"MD5", b"8ca523f5e9506fed4657c9700eebdbec"),
        (b"SHA-256", b"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        found = Challenge(
            header=b"Authorization",
            realm=b"http-auth@example.org",
            nonce=b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            algorithm=algorithm.lower(),
            printed=algorithm,
            qop=b"auth",
            opaque=b"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
            is_stale=False,
        )
        value = answer(
            found,
            username=b"Mufasa",
            password=b"Circle of Life",
            method=b"GET",
            uri=b"/dir/index.html",
            body=b"",
            count=1,
            cnonce=b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
        assert b'response="' + expected + b'"' in value
        assert b"nc=00000001" in value
        assert b'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in value


TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20).map(str.encode)


@given(
    realm=TEXTS,
    nonce=TEXTS,
    username=TEXTS,
    password=st.binary(min_size=1, max_size=20),
    algorithm=st.sampled_from(sorted(HASHES)),
    qop=st.sampled_from([b"auth", b"auth-int", b""]),
    body=st.binary(max_size=20),
    count=st.integers(1, 2**32 - 1),
)
def test_a_server_that_knows_the_password_believes_it(realm, nonce, username, password, algorithm, qop, body, count):
    """Whatever the texts: quotes and backslashes come back as they were; another password is not believed."""
    found = Challenge(b"Authorization", realm, nonce, algorithm, algorithm, qop, None, False)
    value = answer(
        found,
        username=username,
        password=password,
        method=b"INVITE",
        uri=b"sip:1@h",
        body=body,
        count=count,
        cnonce=b"c",
    )
    read = parse_credentials(value)
    assert (read.username, read.realm, read.nonce) == (username, realm, nonce)
    for secret, expected in ((password, True), (password + b"x", False)):
        assert is_right(read, secret_of(algorithm, username, realm, secret), b"INVITE", body) is expected
