"""Matching: RFC 3261 §17.1.3, §17.2.3 with its RFC 2543 rules, §9.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.sip.message import parse
from edge.sip.transaction import keys

BASE = {
    "method": "INVITE",
    "sent_by": "192.0.2.1:5060",
    "branch": "z9hG4bK1",
    "uri": "sip:b@h",
    "from_tag": "a",
    "to_tag": "",
    "call_id": "c",
    "cseq": "1 INVITE",
    "received": "",
}


def message(**changes):
    f = BASE | changes
    branch = f";branch={f['branch']}" if f["branch"] else ""
    tag = f";tag={f['to_tag']}" if f["to_tag"] else ""
    return parse(
        (
            f"{f['method']} {f['uri']} SIP/2.0\r\nVia: SIP/2.0/UDP {f['sent_by']}{branch}{f['received']}\r\n"
            f"From: <sip:a@h>;tag={f['from_tag']}\r\nTo: <sip:b@h>{tag}\r\nCall-ID: {f['call_id']}\r\n"
            f"CSeq: {f['cseq']}\r\nContent-Length: 0\r\n\r\n"
        ).encode()
    )


def key(wanted=b"INVITE", /, **changes):
    return keys.server_key(message(**changes), wanted)


@pytest.mark.parametrize(
    ("branch", "expected"),
    [
        (b"z9hG4bKnashds7", True),
        (b"Z9HG4BKnashds7", True),
        (b"z9hG4bK", False),
        (b"1", False),
        (b"", False),
        (None, False),
    ],
)
def test_the_magic_cookie_tells_compliant_clients(branch, expected):
    """§8.1.1.7; the bare cookie identifies nothing (RFC 4475 §3.2.1)."""
    assert expected == keys.is_compliant(branch)


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "sip:other@h"},
        {"to_tag": "late"},
        {"from_tag": "x"},
        {"call_id": "x"},
        {"cseq": "2 INVITE"},
        {"received": ";received=198.51.100.7;rport=9"},
        {"sent_by": "192.0.2.1:5060 "},
    ],
)
def test_with_the_cookie_only_branch_sent_by_and_method_count(changes):
    """§17.2.3 rules 1 to 3."""
    assert key() == key(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"branch": "z9hG4bK2"},
        {"branch": "z9hG4bk1x"},
        {"sent_by": "192.0.2.2:5060"},
        {"sent_by": "192.0.2.1:5061"},
        {"sent_by": "192.0.2.1"},
    ],
)
def test_with_the_cookie_another_branch_or_sent_by_is_another_transaction(changes):
    """Branches of different clients may be equal, by accident or by malice; a missing port is not port 5060."""
    assert key() != key(**changes)


def test_a_branch_compares_byte_for_byte():
    """Clients that make branches from base64 use either case."""
    assert key(branch="z9hG4bKab") != key(branch="z9hG4bKaB")


def test_a_sent_by_name_compares_without_case():
    """§18.1.1, §19.1.4."""
    assert key(sent_by="PC33.Example.com") == key(sent_by="pc33.example.COM")


@pytest.mark.parametrize("branch", ["z9hG4bK1", "", "1"])
def test_the_method_counts(branch):
    """Rule 3: a CANCEL and its INVITE share a branch and are two transactions."""
    assert key(branch=branch) != key(b"CANCEL", branch=branch, method="CANCEL", cseq="1 CANCEL")


@pytest.mark.parametrize("branch", ["z9hG4bK1", "", "1"])
def test_a_cancel_names_its_invite(branch):
    """§9.2: the same rules, as if its method were INVITE."""
    assert key(branch=branch) == key(branch=branch, method="CANCEL", cseq="1 CANCEL")


def test_an_ack_with_the_cookie_names_its_invite():
    """Rule 3: the To tag it has learnt does not count."""
    assert key() == key(method="ACK", cseq="1 ACK", to_tag="theirs")


@pytest.mark.parametrize("branch", ["", "1", "z9hG4bK"])
@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "sip:other@h"},
        {"to_tag": "late"},
        {"from_tag": "x"},
        {"call_id": "x"},
        {"cseq": "2 INVITE"},
        {"sent_by": "192.0.2.2:5060"},
        {"branch": "2"},
    ],
)
def test_without_the_cookie_everything_of_rfc_2543_counts(branch, changes):
    """§17.2.3: Request-URI, To tag, From tag, Call-ID, CSeq, top Via."""
    assert key(branch=branch) == key(branch=branch)
    assert key(branch=branch) != key(**({"branch": branch} | changes))


def test_without_the_cookie_our_own_hand_in_the_via_does_not_count():
    """`received` and `rport` are added by servers."""
    assert key(branch="1") == key(branch="1", received=";received=198.51.100.7;rport=9")


def test_an_ack_without_the_cookie_finds_its_invite_but_for_the_to_tag():
    """§17.2.3: the To tag is that of the response, and is compared apart."""
    invite, ack = message(branch="1"), message(branch="1", method="ACK", cseq="1 ACK", to_tag="theirs")
    one = keys.legacy_key(invite, invite.via(), b"INVITE")
    assert one == keys.legacy_key(ack, ack.via(), b"INVITE")
    assert (keys.tag(invite, b"to"), keys.tag(ack, b"to")) == (None, b"theirs")


def test_a_value_that_cannot_be_read_matches_its_own_repeats():
    """So that its 400 is sent through one transaction."""
    broken = (
        b"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a\r\nTo: >>\r\nCall-ID: c\r\n"
        b"CSeq: 1 INVITE\r\n\r\n"
    )
    assert keys.server_key(parse(broken), b"INVITE") == keys.server_key(parse(broken), b"INVITE")
    assert (keys.tag(parse(broken), b"from"), keys.tag(parse(broken), b"to")) == (b"<sip:a", b">>")


def reply(branch="z9hG4bK1", cseq="1 INVITE", sent_by="192.0.2.1", status=200):
    return parse(
        (
            f"SIP/2.0 {status} OK\r\nVia: SIP/2.0/UDP {sent_by};branch={branch}\r\nFrom: <sip:a@h>;tag=a\r\n"
            f"To: <sip:b@h>;tag=b\r\nCall-ID: c\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
        ).encode()
    )


def test_a_response_is_matched_by_branch_and_cseq_method():
    """§17.1.3: nothing else, not even the CSeq number."""
    assert keys.client_key(reply()) == (b"z9hG4bK1", b"INVITE")
    assert keys.client_key(reply()) == keys.client_key(reply(cseq="9 INVITE", sent_by="x", status=404))
    assert keys.client_key(reply()) != keys.client_key(reply(cseq="1 CANCEL"))
    assert keys.client_key(reply()) != keys.client_key(reply(branch="z9hG4bK2"))


token = st.text("abcXYZ019", min_size=1, max_size=3)


@given(token, token, st.sampled_from(["INVITE", "BYE", "CANCEL"]), token, token, st.sampled_from(["INVITE", "BYE"]))
def test_keys_are_equal_exactly_where_the_three_rules_hold(branch1, host1, method1, branch2, host2, method2):
    """Branch, sent-by, method: no more and no less."""
    one = key(method1.encode(), branch="z9hG4bK" + branch1, sent_by=host1, method=method1, cseq=f"1 {method1}")
    two = key(method2.encode(), branch="z9hG4bK" + branch2, sent_by=host2, method=method2, cseq=f"1 {method2}")
    same = (branch1, host1.lower(), method1) == (branch2, host2.lower(), method2)
    assert same == (one == two)
