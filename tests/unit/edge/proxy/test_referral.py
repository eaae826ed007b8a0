"""edge.proxy.referral: transfers across an edge that hides one side: nothing is told, and they reach whom they name."""

import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network import reply
from test_topology import CORE, EDGE_OUT, INSIDE, OUTSIDE, POLICY, SECRETS, Incoming, Inner, Net, Outgoing

OURS = f"{EDGE_OUT}:5060"


def refers(value: str, call: Outgoing | None = None) -> str:
    """What the trunk is told of a Refer-To of the caller inside."""
    call = call or Outgoing(Net())
    call.caller.talk("REFER", extra=f"Refer-To: {value}")
    return (call.net.requests(OUTSIDE, "REFER").value(b"refer-to") or b"").decode()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("<sip:+33170000009@10.1.2.4>", f"<sip:+33170000009@{OURS}>"),
        ("<sip:agent7@10.1.2.4:5070;transport=tcp;user=phone>", f"<sip:agent7@{OURS};user=phone>"),
        ('"at 10.1.2.4" <sip:a@[fd00::1]>;x=10.1.2.4', f'"at {EDGE_OUT}" <sip:a@{OURS}>;x={EDGE_OUT}'),
        ("<sip:10.1.2.4;method=INVITE>", f"<sip:{OURS};method=INVITE>"),
        ("<sip:a@10.1.2.4?Subject=to%2010.1.2.4>", f"<sip:a@{OURS}?Subject=to%20{EDGE_OUT}>"),
        ("sip:a@10.1.2.4", f"sip:a@{OURS}"),
        ("<sip:alice@example.com;transport=tls>", "<sip:alice@example.com;transport=tls>"),
        ("<sip:a@198.51.100.1:5099>", "<sip:a@198.51.100.1:5099>"),
        ("<tel:+33170000009>", "<tel:+33170000009>"),
        ("<http://10.1.2.4/x>", f"<http://{EDGE_OUT}/x>"),
        ("<sip:a@10.1.2.4", f"<sip:a@{EDGE_OUT}"),
    ],
)
def test_a_place_inside_is_ours(said: str, told: str) -> None:
    """With its user, whom policy judges; a place elsewhere, or the trunk's own, stays."""
    assert told == refers(said)


def test_where_the_referrer_is_itself_is_inside_whatever_its_name() -> None:
    """The host of its Contact."""
    call = Outgoing(Net())
    data = call.caller.in_dialog("REFER", extra="Refer-To: <sip:a@PBX.internal>")
    call.net.send(
        data.replace(b"Contact: <sip:caller@10.1.2.3:5062>", b"Contact: <sip:caller@pbx.internal>"), ("10.1.2.3", 5062)
    )
    assert f"<sip:a@{OURS}>".encode() == call.net.requests(OUTSIDE, "REFER").value(b"refer-to")


def test_the_other_dialog_is_named_as_the_trunk_knows_it() -> None:
    """Replaces inside the URI, Replaces, Join and Target-Dialog beside it: by the Call-ID that the trunk was told."""
    net = Net()
    call, other = Outgoing(net), Outgoing(net)
    shown = other.invite.call_id().decode()
    assert shown.startswith("hidden-")
    mine = f"{other.caller.call_id};to-tag=callee;from-tag={other.caller.from_tag}"
    told = refers(f"<sip:a@10.1.2.4?Replaces={quote(mine, safe='')}&X=1>", call)
    found = re.fullmatch(rf"<sip:a@{OURS}\?Replaces=([^&]*)&X=1>", told)
    assert found is not None
    assert f"{shown};to-tag=callee;from-tag={other.caller.from_tag}" == unquote(found[1])
    for name in ("Replaces", "Join", "Target-Dialog"):
        call.caller.talk("INFO", extra=f"{name}: {mine}")
        value = net.requests(OUTSIDE, "INFO").value(name.lower().encode()) or b""
        assert value.decode().partition(";")[0] == shown
        call.callee_says("INFO", extra=f"{name}: {value.decode()}")
        assert mine.encode() == call.at_the_caller("INFO").value(name.lower().encode())


def test_a_dialog_of_the_trunks_own_keeps_its_name() -> None:
    """Its Call-ID was never ours to hide."""
    told = refers("<sip:a@10.1.2.4?Replaces=x%40198.51.100.1%3Bto-tag%3Da%3Bfrom-tag%3Db>")
    assert told.endswith("?Replaces=x%40198.51.100.1%3Bto-tag%3Da%3Bfrom-tag%3Db>")


def test_a_transfer_by_the_trunk_reaches_whom_it_names() -> None:
    """It was told a sealed Contact and a sealed Call-ID of the other call: the caller is told what is behind them."""
    net = Net()
    call, other = Outgoing(net), Outgoing(net)
    contact = other.invite.contact()
    assert contact is not None
    tags = f";to-tag=callee;from-tag={other.caller.from_tag}"
    dialog = quote(other.invite.call_id().decode() + tags, safe="")
    call.callee_says("REFER", extra=f"Refer-To: <{contact.uri.decode()}?Replaces={dialog}>;x=1")
    up = call.at_the_caller("REFER")
    original = quote(other.caller.call_id + tags, safe="")
    assert f"<sip:caller@10.1.2.3:5062?Replaces={original}>;x=1" == (up.value(b"refer-to") or b"").decode()
    net.send(reply(up, 202, tag=""), ("10.1.7.7", 5061))
    assert [202] == net.wire.statuses_to(OUTSIDE)


def test_a_sealed_contact_opens_for_the_dialog_it_was_sealed_for_alone() -> None:
    """Without that dialog's name, or with another one's, it stays: it leads to us."""
    net = Net()
    call, other = Outgoing(net), Outgoing(net)
    contact = other.invite.contact()
    assert contact is not None
    for more in ("", f"?Replaces={call.invite.call_id().decode()}%3Bto-tag%3Da%3Bfrom-tag%3Db", "?Replaces=hidden-x"):
        call.callee_says("REFER", extra=f"Refer-To: <{contact.uri.decode()}{more}>")
        told = call.at_the_caller("REFER").value(b"refer-to") or b""
        assert told.startswith(b"<" + contact.uri)


def test_the_hidden_callee_refers() -> None:
    """The other way round: the trunk called, and who answered sends it elsewhere inside."""
    call = Incoming(Net())
    call.net.send(call.callee.in_dialog("REFER", extra="Refer-To: <sip:boss@10.9.9.11:5080>"), CORE)
    up = call.net.requests(("198.51.100.77", 5060), "REFER")
    assert (f"<sip:boss@{OURS}>".encode(), None) == (up.value(b"refer-to"), SECRETS.search(up.render()))


def test_a_trunk_that_may_see_is_told_what_was_said() -> None:
    """Nothing of this without the word."""
    net = Net(POLICY.replace("boundary = { hide_topology = true }", ""))
    net.look = lambda: None  # type: ignore[method-assign]
    assert "<sip:a@10.1.2.4?Replaces=x%40h>" == refers("<sip:a@10.1.2.4?Replaces=x%40h>", Outgoing(net))


PIECES = st.sampled_from(
    ["<", ">", "sip:", "sips:", "a@", "@10.1.2.3;", "@10.1.2.3>", "@10.1.2.3?", "@10.1.2.3:5062;", "@[fd00::1]", ";",
     "transport=tcp", "?", "Replaces=", "&", "x%4010.1.2.3&", "hidden-", "AAAA", '"', "tel:+33", "=", "%", " ", "@",
     "method=INVITE", "Join=", "lr"]
)  # fmt: skip
"""No two of them make a longer number of an address."""


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_text_tells_or_breaks(value: str) -> None:
    """Whatever stands there: no address goes out, in or beside the header, and nothing is raised either way; nor where
    nobody can read the Contact beside it."""
    said = f"Refer-To: {value}\nReplaces: {value}"
    call = Outgoing(Net(), extra=said)
    for method in ("REFER", "ACK", "INVITE"):
        data = call.caller.in_dialog(method, extra=said, cseq=1 if method == "ACK" else None)
        call.net.send(data, INSIDE)
        call.net.send(data.replace(b"caller@10.1.2.3:5062>", b"@@10.1.2.3>").replace(b"branch=", b"branch=b"), INSIDE)
        call.callee_says(method, extra=said)
    other = Inner(call.net)
    call.net.send(other.request("INVITE", extra=said).replace(b"caller@10.1.2.3:5062>", b"@@10.1.2.3>"), INSIDE)
