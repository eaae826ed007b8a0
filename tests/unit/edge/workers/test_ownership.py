"""Who owns a message: the same worker for all of one call, however it is spelt, and as much for one as for another."""

from collections import Counter

import pytest

from edge.workers.ownership import own_call_id, owner_of, slot_in, slot_of

CALL_ID = b"8a4e3c2b11e5aa01@192.0.2.7"


def message(first: bytes, header: bytes, *, via: bytes = b"z9hG4bKa") -> bytes:
    return first + b"\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=" + via + b"\r\n" + header + b"\r\nCSeq: 1 INVITE\r\n\r\n"


@pytest.mark.parametrize(
    "header",
    [
        b"Call-ID: " + CALL_ID,
        b"Call-ID:" + CALL_ID,
        b"Call-ID:  \t" + CALL_ID,
        b"call-id : " + CALL_ID,
        b"CALL-ID: " + CALL_ID + b"  ",
        b"i: " + CALL_ID,
        b"I:" + CALL_ID,
        b"Call-ID:\r\n " + CALL_ID,
    ],
)
@pytest.mark.parametrize("first", [b"INVITE sip:1@h SIP/2.0", b"CANCEL sip:1@h SIP/2.0", b"SIP/2.0 200 OK"])
@pytest.mark.parametrize("via", [b"z9hG4bKa", b"z9hG4bKother"])
def test_every_message_of_a_call_has_one_owner(first, header, via):
    """Whatever its kind, its branch and the spelling of its Call-ID (RFC 3261 §7.3.1, §7.3.3)."""
    assert slot_in(message(first, header, via=via), 251) == slot_of(CALL_ID, 251)


@pytest.mark.parametrize("call_id", [(b"0123456789abcdef" * 4)[:length] for length in (*range(1, 37), 64)])
@pytest.mark.parametrize("spelling", [b"Call-ID: %b", b"i: %b", b"Call-ID: %b ", b"Call-ID: %b \t "])
def test_a_call_id_of_any_length_is_found(call_id, spelling):
    """What follows it does not count."""
    assert slot_in(message(b"BYE sip:1@h SIP/2.0", spelling % call_id), 251) == slot_of(call_id, 251)


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"junk", message(b"INVITE sip:1@h SIP/2.0", b"X-Call-ID: a")])
def test_what_has_no_call_id_is_whoevers_gets_it(data):
    """A keep-alive, junk, or a request that will be answered 400."""
    assert slot_in(data, 8) is None


@pytest.mark.parametrize("workers", [2, 3, 4, 8])
@pytest.mark.parametrize(
    "form",
    [b"%d-12345@127.0.0.1", b"BW1904521%011d-1@10.0.0.1", b"a%d", b"call%012dx", b"%032x"],
    ids=["SIPp", "time of the day", "short", "counter", "hexadecimal"],
)
def test_calls_are_spread_evenly(form, workers):
    """However much Call-IDs of one sender look alike: nobody has a tenth more or less than its share."""
    shares = Counter([slot_of(form % number, workers) for number in range(8_000)])
    assert all(0.9 < shares[worker] * workers / 8_000 < 1.1 for worker in range(workers)), shares


@pytest.mark.parametrize(
    ("slot", "up", "owner"),
    [
        (0, [1, 1, 1], 0),
        (2, [1, 1, 1], 2),
        (0, [0, 1, 1], 1),
        (2, [1, 1, 0], 0),
        (1, [1, 0, 0], 0),
        (1, [0, 0, 0], 1),
    ],
)
def test_the_work_of_one_that_rests_is_the_next_ones(slot, up, owner):
    """And its own again when it is up."""
    assert owner_of(slot, up) == owner


@pytest.mark.parametrize("worker", range(4))
def test_what_is_born_here_is_answered_here(worker):
    """A Call-ID of our own is drawn until it is ours."""
    drawn = iter([b"%d" % number for number in range(1_000)])
    call_id = own_call_id(lambda: next(drawn), b"@probe", worker, 4)
    assert call_id.endswith(b"@probe")
    assert slot_of(call_id, 4) == worker


def test_a_single_process_draws_once():
    """Everything is its own."""
    drawn = iter([b"only"])
    assert own_call_id(lambda: next(drawn), b"@probe", 0, 1) == b"only@probe"
