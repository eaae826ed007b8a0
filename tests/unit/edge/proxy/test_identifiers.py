"""Call uid, branch, tag and the signed token of the Record-Route."""

import re
from itertools import count

import pytest

from edge.proxy.identifiers import UID_LENGTH, FreshTokens, Identifiers, loop_part, loop_part_of, number_digest
from edge.sip.message import parse

TOKEN_CHARACTERS = re.compile(rb"[A-Za-z0-9.!%*_+`'~-]+")


def make(secret=b"0123456789abcdef"):
    numbers = count(1)
    return Identifiers(secret=secret, fresh=lambda: b"fresh%d" % next(numbers))


def invite(
    *lines,
    uri="sip:bob@h",
    via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
    call_id="c@h",
    cseq=1,
    method="INVITE",
    tag="a",
):
    head = [f"{method} {uri} SIP/2.0", f"Via: {via}", *lines, f"From: <sip:a@h>;tag={tag}", "To: <sip:b@h>"]
    return parse("\r\n".join([*head, f"Call-ID: {call_id}", f"CSeq: {cseq} {method}", "", ""]).encode())


def uid(request):
    tag = request.from_().tag or b""
    return make().call_uid(request, request.call_id(), tag, request.cseq().number)


def test_the_uid_of_the_same_invite_is_the_same():
    """On every node and after every restart, whatever its secret (ruling R6)."""
    assert uid(invite()) == make(b"another secret!!").call_uid(invite(), b"c@h", b"a", 1)
    assert re.fullmatch(r"[0-9a-f]{32}", uid(invite()))


@pytest.mark.parametrize(
    "other",
    [{"via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2"}, {"via": "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1"},
     {"via": "SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bK1"}, {"call_id": "d@h"}, {"cseq": 2}, {"tag": "b"}],
)  # fmt: skip
def test_another_invite_has_another_uid(other):
    """Another branch, sent-by, Call-ID, CSeq or From tag."""
    assert uid(invite()) != uid(invite(**other))


def test_stamping_the_via_does_not_change_the_uid():
    """Received and rport are ours."""
    assert uid(invite()) == uid(invite(via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=192.0.2.9;rport=1"))


def test_fresh_tokens_never_repeat_across_blocks():
    """4,096 random bytes make 512 tokens; the 513th comes from a new block."""
    asked = []

    def random(length):
        asked.append(length)
        first = len(asked) * 10**6
        return b"".join(number.to_bytes(8, "big") for number in range(first, first + length // 8))

    fresh = FreshTokens(random)
    tokens = [fresh() for _ in range(2000)]
    assert len(set(tokens)) == 2000
    assert {len(token) for token in tokens} == {16}
    assert asked == [4_096] * 4


def test_branches_are_unique_and_carry_their_loop_part():
    """§8.1.1.7, RFC 5393 §4.2.1."""
    names = make()
    first, second = names.branch(b"abc"), names.branch(b"abc")
    assert first != second
    assert first.startswith(b"z9hG4bK")
    assert (b"abc", b"abc") == (loop_part_of(first), loop_part_of(second))


def test_a_token_is_read_back():
    """By whoever has the secret, for its own Call-ID."""
    token = make().token("u" * UID_LENGTH, b"c@h")
    assert make().read_token(token, b"c@h") == "u" * UID_LENGTH
    assert TOKEN_CHARACTERS.fullmatch(token)


TOKEN = make().token("u" * UID_LENGTH, b"c@h")


@pytest.mark.parametrize(
    "forged",
    [b"", b"x", TOKEN[:-1], TOKEN + b"a", b"v" + TOKEN[1:], TOKEN[:-1] + (b"b" if TOKEN[-1:] == b"a" else b"a"),
     TOKEN.replace(b"-", b"."), b"\xff" * len(TOKEN), TOKEN.upper()],
)  # fmt: skip
def test_a_forged_token_is_none(forged):
    """Whatever is wrong with it."""
    assert make().read_token(forged, b"c@h") is None


def test_a_token_of_another_call_or_secret_is_none():
    """It is bound to both."""
    assert make().read_token(TOKEN, b"d@h") is None
    assert make(b"another secret!!").read_token(TOKEN, b"c@h") is None


def part(request, source="192.0.2.1", names=()):
    return loop_part(request, source, names)


def test_the_loop_part_does_not_vary_with_the_method():
    """CANCEL and ACK have the branch of their INVITE (RFC 5393 §4.2.1); neither does it with hops or Vias."""
    assert part(invite()) == part(invite(method="ACK")) == part(invite("Max-Forwards: 3", "Via: SIP/2.0/UDP x"))


@pytest.mark.parametrize(
    ("request_", "source"),
    [(invite(uri="sip:bob@i"), "192.0.2.1"), (invite("Route: <sip:x;lr>"), "192.0.2.1"),
     (invite("Proxy-Authorization: Digest x"), "192.0.2.1"), (invite("X-Account: b"), "192.0.2.1"),
     (invite(), "192.0.2.2"), (invite(call_id="d@h"), "192.0.2.1")],
)  # fmt: skip
def test_the_loop_part_varies_with_what_routes(request_, source):
    """Request-URI, routes, credentials, the neighbour and the account it names."""
    assert part(invite(), names=(b"x-account",)) != part(request_, source, (b"x-account",))


ODD_VIAS = ["SIP/2.0/UDP 192.0.2.1", "SIP/2.0/UDP 192.0.2.1;branch=old"]


@pytest.mark.parametrize("via", ["SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", *ODD_VIAS])
def test_a_branch_without_a_transaction_is_a_function_of_the_request(via):
    """§16.11: the same for each copy, on every node; another one for another request."""
    ack = {"method": "ACK", "via": via}
    first = make().stateless_branch(invite(**ack), b"x")
    assert first == make().stateless_branch(invite(**ack), b"x")
    assert first != make(b"another secret!!").stateless_branch(invite(**ack), b"x")
    assert first.startswith(b"z9hG4bK")
    assert loop_part_of(first) == b"x"


@pytest.mark.parametrize("via", ODD_VIAS)
def test_clients_without_unique_branches(via):
    """§16.11 names the fields that tell their requests apart."""
    branches = {
        make().stateless_branch(invite(via=via, cseq=number, uri=f"sip:{number}@h"), b"x") for number in (1, 2, 3)
    }
    assert len(branches) == 3


def test_a_token_may_say_that_the_caller_is_hidden():
    """Any node with the secret reads it; a token of the one kind is none of the other."""
    names = Identifiers(secret=b"0123456789abcdef", fresh=lambda: b"f")
    uid = "a" * UID_LENGTH
    plain, hiding = names.token(uid, b"c"), names.token(uid, b"c", hides=True)
    assert (names.read_token(plain, b"c"), names.read_token(hiding, b"c")) == (uid, uid)
    assert (names.hides_caller(plain, b"c"), names.hides_caller(hiding, b"c")) == (False, True)
    assert names.read_token(hiding, b"d") is None
    assert not names.hides_caller(hiding, b"d")


@pytest.mark.parametrize("size", [16, 63, 64, 65, 200])
@pytest.mark.parametrize("number", ["", "+33170000001", "3 1" * 50])
def test_the_digest_of_a_number_is_an_hmac(size, number):
    """Whether the key was taken in before or not (RFC 2104: one longer than a block is hashed first)."""
    key = bytes(range(size))
    made = Identifiers(secret=b"0123456789abcdef", fresh=lambda: b"f", contacts=key)
    assert made.number_digest(number) == number_digest(key, number)
    assert made.number_digest(number) == number_digest(key, number)  # and again
