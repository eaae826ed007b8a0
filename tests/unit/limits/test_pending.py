"""Requests on one connection: a reply belongs to the oldest; a store that forgot its scripts is taught them first."""

import asyncio

import pytest

from limits import Admit, Settle
from limits.asked import Asked
from limits.link import LOADED, StoreLink
from limits.pending import Pending
from limits.wire import Encoder, Load


class Wire(asyncio.Transport):
    """Takes what would go out."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.fixture
def encoder() -> Encoder:
    return Encoder()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def pending(encoder, wire) -> Pending:
    pending = Pending(encoder)
    pending.link = StoreLink(on_reply=lambda reply: None, on_read=lambda: None, on_lost=lambda why: None)
    pending.link.connection_made(wire)
    return pending


def asked(name: str, at: float = 1.0) -> Asked:
    return Asked(Admit("acme", name, "n"), at)


def drain(pending: Pending) -> list[Asked]:
    found = []
    while (one := pending.next()) is not None:
        found.append(one)
    return found


def test_a_reply_belongs_to_the_oldest(pending):
    """In the order of the wire; what was taken off too early goes back to its place."""
    first, second = asked("a", 1.0), asked("b", 2.0)
    assert (pending.next(), pending.oldest_at(), pending.on_wire, len(pending)) == (None, None, 0, 0)
    assert [pending.put(one) for one in (first, second)] == [True, True]
    assert (pending.oldest_at(), pending.on_wire, len(pending)) == (1.0, 2, 2)
    assert pending.next() is first
    assert pending.oldest_at() == 2.0
    pending.put_back(first)
    assert drain(pending) == [first, second]


def test_what_is_written_alone_goes_out_at_once(pending, wire):
    """Without a connection it is noted all the same: whoever ends the connection finds it."""
    one, other = asked("a"), asked("b")
    pending.write(one, b"one")
    pending.link = None
    pending.write(other, b"other")
    assert (wire.written, drain(pending)) == ([b"one"], [one, other])


def test_scripts_first_then_what_was_asked_in_its_order(pending, wire, encoder):
    """New requests wait behind those that are asked again; nothing goes out while replies are still to come."""
    forgotten, under_way, new = asked("forgotten"), asked("under way"), asked("new")
    assert pending.put(forgotten)
    assert pending.put(under_way)
    pending.ask_again(pending.next())
    assert (forgotten.retried, under_way.retried) == (True, False)
    pending.write(new, b"must wait")
    pending.resend(2.0)
    assert (wire.written, pending.on_wire, len(pending)) == ([], 1, 2)

    assert pending.next() is under_way
    pending.resend(2.0)
    sent = drain(pending)
    assert [one.verb for one in sent] == [*[Load(name) for name in LOADED], forgotten.verb, new.verb]
    assert all(one.done and one.at == 2.0 for one in sent[: len(LOADED)]), "nobody waits for those"
    assert (sent[-2], sent[-1]) == (forgotten, new)
    assert wire.written == [encoder.encode(one.verb) for one in sent]

    wire.written.clear()
    pending.resend(3.0)
    assert (wire.written, pending.put(asked("later"))) == ([], True)
    pending.ask_again(pending.next())
    pending.resend(4.0)
    assert [one.verb.account for one in drain(pending)] == ["" for _ in LOADED] + ["acme"], "what waited went out once"


def test_everything_under_way_is_found_when_the_connection_is_gone(pending):
    """Each once, in its order: on the wire, asked again, behind; and nothing is left."""
    again, on_wire, behind = asked("again"), Asked(Settle("acme", "u", "failed", 0), 1.0), asked("behind")
    pending.put(again)
    pending.ask_again(pending.next())
    pending.put_back(on_wire)
    assert not pending.put(behind)
    assert pending.take_all() == [on_wire, again, behind]
    assert (pending.take_all(), len(pending), pending.put(behind)) == ([], 0, True)
