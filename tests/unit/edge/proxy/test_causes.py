"""edge.proxy.causes: RFC 3398's two tables, and what a neighbour is told of a cause."""

import re

import pytest
from network import CALLER, TRUNK_A, TRUNK_B, Caller, Established, Ringing, Wire, policy, reply

from edge.proxy.causes import (
    CAUSE_OF_STATUS,
    STATUS_OF_CAUSE,
    cause_of,
    q850_of,
    reason_value,
    tell,
    tell_status,
)
from edge.sip.message import Request, Response, parse

STATUS_TO_CAUSE = """
400 Bad Request                       41 Temporary Failure
401 Unauthorized                      21 Call rejected (*)
402 Payment required                  21 Call rejected
403 Forbidden                         21 Call rejected
404 Not found                          1 Unallocated number
405 Method not allowed                63 Service or option unavailable
406 Not acceptable                    79 Service/option not implemented (+)
407 Proxy authentication required     21 Call rejected (*)
408 Request timeout                  102 Recovery on timer expiry
410 Gone                              22 Number changed (w/o diagnostic)
413 Request Entity too long          127 Interworking (+)
414 Request-URI too long             127 Interworking (+)
415 Unsupported media type            79 Service/option not implemented (+)
416 Unsupported URI Scheme           127 Interworking (+)
420 Bad extension                    127 Interworking (+)
421 Extension Required               127 Interworking (+)
423 Interval Too Brief               127 Interworking (+)
480 Temporarily unavailable           18 No user responding
481 Call/Transaction Does not Exist   41 Temporary Failure
482 Loop Detected                     25 Exchange - routing error
483 Too many hops                     25 Exchange - routing error
484 Address incomplete                28 Invalid Number Format (+)
485 Ambiguous                          1 Unallocated number
486 Busy here                         17 User busy
500 Server internal error             41 Temporary failure
501 Not implemented                   79 Not implemented, unspecified
502 Bad gateway                       38 Network out of order
503 Service unavailable               41 Temporary failure
504 Server time-out                  102 Recovery on timer expiry
505 Version Not Supported            127 Interworking (+)
513 Message Too Large                127 Interworking (+)
600 Busy everywhere                   17 User busy
603 Decline                           21 Call rejected
604 Does not exist anywhere            1 Unallocated number
"""
"""RFC 3398 §8.2.6.1, as printed; its second 504 is 505; 487, 488 and 606 have rows of their own below."""

CAUSE_TO_STATUS = """
1  unallocated number                   404 Not Found
2  no route to network                  404 Not found
3  no route to destination              404 Not found
17 user busy                            486 Busy here
18 no user responding                   408 Request Timeout
19 no answer from the user              480 Temporarily unavailable
20 subscriber absent                    480 Temporarily unavailable
21 call rejected                        403 Forbidden (+)
22 number changed (w/o diagnostic)      410 Gone
23 redirection to new destination       410 Gone
26 non-selected user clearing           404 Not Found (=)
27 destination out of order             502 Bad Gateway
28 address incomplete                   484 Address incomplete
29 facility rejected                    501 Not implemented
31 normal unspecified                   480 Temporarily unavailable
34 no circuit available                 503 Service unavailable
38 network out of order                 503 Service unavailable
41 temporary failure                    503 Service unavailable
42 switching equipment congestion       503 Service unavailable
47 resource unavailable                 503 Service unavailable
55 incoming calls barred within CUG     403 Forbidden
57 bearer capability not authorized     403 Forbidden
58 bearer capability not presently      503 Service unavailable
65 bearer capability not implemented    488 Not Acceptable Here
70 only restricted digital avail        488 Not Acceptable Here
79 service or option not implemented    501 Not implemented
87 user not member of CUG               403 Forbidden
88 incompatible destination             503 Service unavailable
102 recovery of timer expiry            504 Gateway timeout
111 protocol error                      500 Server internal error
127 interworking unspecified            500 Server internal error
"""
"""RFC 3398 §7.2.4.1, as printed, without 16 (no status) and 22 with its diagnostic."""

DOWN = [
    (int(row[:3]), int(found.group(1)))
    for row in STATUS_TO_CAUSE.strip().splitlines()
    if (found := re.search(r"\s{1,}(\d{1,3}) [A-Z]", row[4:]))
]
UP = [
    (int(row.split()[0]), int(found.group(1)))
    for row in CAUSE_TO_STATUS.strip().splitlines()
    if (found := re.search(r" (\d{3}) [A-Z]", row))
]


def response(status: int, *lines: str) -> Response:
    head = [f"SIP/2.0 {status} X", "Via: SIP/2.0/UDP h;branch=z9hG4bK1", *lines, "From: <sip:a@h>", "To: <sip:b@h>"]
    message = parse("\r\n".join([*head, "Call-ID: c", "CSeq: 1 INVITE", "", ""]).encode())
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize(("status", "cause"), DOWN)
def test_a_row_of_8_2_6_1(status: int, cause: int) -> None:
    """The RFC's row is ours."""
    assert cause_of(status)[1] == cause


@pytest.mark.parametrize(("cause", "status"), UP)
def test_a_row_of_7_2_4_1(cause: int, status: int) -> None:
    """The RFC's row is ours, and so is what becomes of a failure that says too little."""
    message = response(500, f"Reason: Q.850;cause={cause}")
    tell_status(message, frozenset((500,)))
    assert (message.status, parse(message.render()).status) == (status, status)


def test_the_tables_have_no_other_rows() -> None:
    """What is not in the text is in neither table."""
    assert (len(DOWN), len(UP)) == (34, 31)
    assert dict(DOWN) == dict(CAUSE_OF_STATUS)
    assert {cause: row.status for cause, row in STATUS_OF_CAUSE.items()} == dict(UP)


@pytest.mark.parametrize(
    ("status", "warning", "cause"),
    [
        (487, b"", 16), (488, b"", 31), (606, b"", 31), (488, b'304 h "x"', 65), (606, b'305 h "x"', 65),
        (488, b'370 h "x"', 31), (433, b"", 31), (499, b"", 31), (580, b"", 31), (699, b"", 31), (302, b"", 23),
    ],
)  # fmt: skip
def test_what_the_table_leaves_open(status: int, warning: bytes, cause: int) -> None:
    """31 for what is not listed; 488 and 606 by their Warning; a call given up ended normally."""
    assert cause_of(status, warning)[1] == cause


def test_every_failure_has_a_cause_and_a_word() -> None:
    """A token for the record, a cause of Q.850, a text for the Reason header."""
    for status in range(300, 700):
        token, cause = cause_of(status)
        assert token
        assert 0 < cause < 128
        assert b'text="' in reason_value(cause)
        assert b'text=""' not in reason_value(cause)
    assert [cause_of(status)[0] for status in (486, 404, 487, 603, 500, 302)] == [
        "busy", "not_found", "cancelled", "rejected", "failed", "redirected",
    ]  # fmt: skip


REASONS = [
    ([], 99),
    (["Reason: Q.850;cause=16"], 16),
    (['Reason: SIP;cause=486, q.850 ; text="a, b" ;cause=17'], 17),
    (["Reason: SIP;cause=486", "reason: Q.850;cause=1"], 1),
    (["Reason: Q.850"], 99),
    (["Reason: Q.850;cause=0"], 99),
    (["Reason: Q.850;cause=128"], 99),
    (["Reason: Q.850;cause=0000016"], 99),
    (["Reason: Q.850;cause=x"], 99),
    (["Reason: Q.850;cause=-1"], 99),
    (["Reason: " + ",".join(["Q.850"] * 200)], 99),
]


@pytest.mark.parametrize(("lines", "expected"), REASONS)
def test_the_cause_a_peer_gives(lines: list[str], expected: int) -> None:
    """RFC 3326; what cannot be read is the default."""
    assert expected == q850_of(response(486, *lines), 99)


@pytest.mark.parametrize(
    ("reason", "status"),
    [("Q.850;cause=16", 500), ("Q.850;cause=44", 500), ("Q.850;cause=99", 500), ("SIP;cause=486", 503), ("", 503)],
)
def test_causes_without_a_status(reason: str, status: int) -> None:
    """16 and 44 have none: what came stays. A cause that is not listed means 500, one of SIP means nothing."""
    message = response(status if reason[:2] != "Q." else 500, *([f"Reason: {reason}"] if reason else []))
    tell_status(message, frozenset((500, 503)))
    assert message.status == status


def test_only_statuses_that_say_too_little_are_replaced() -> None:
    """A 486 stays, whatever the cause."""
    message = response(486, "Reason: Q.850;cause=1")
    tell_status(message, frozenset((500, 503)))
    assert message.status == 486


@pytest.mark.parametrize(
    ("how", "lines", "expected"),
    [
        ("pass", [], []),
        ("pass", ["Reason: SIP;cause=486"], [b"SIP;cause=486"]),
        ("q850", [], [b'Q.850;cause=17;text="User busy"']),
        ("q850", ["Reason: SIP;cause=486"], [b"SIP;cause=486", b'Q.850;cause=17;text="User busy"']),
        ("q850", ["Reason: Q.850;cause=21"], [b"Q.850;cause=21"]),
        ("strip", ["Reason: Q.850;cause=21", "Reason: SIP;cause=486"], []),
    ],
)
def test_what_a_neighbour_is_told(how: str, lines: list[str], expected: list[bytes]) -> None:
    """As it came, always a cause of Q.850, or nothing."""
    message = response(486, *lines)
    tell(message, how, 17)
    assert message.values(b"reason") == expected


# Over the wire

TELLS = 'boundary = { reason = "q850" }'
CALLER_TOLD = policy().replace('id = "acme-pbx"', 'id = "acme-pbx"\n' + TELLS)


def test_a_failure_goes_up_with_its_cause() -> None:
    """The trunk gives a status only: the caller gets the cause of the table, and the record has the same."""
    wire = Wire(CALLER_TOLD)
    call = Ringing(wire)
    call.callee.answer(486)
    (answer,) = wire.responses_to(CALLER)
    assert answer.values(b"reason") == [b'Q.850;cause=17;text="User busy"']
    assert (wire.ended[0].status, wire.ended[0].q850) == (486, 17)


def test_a_bye_goes_on_with_a_cause() -> None:
    """RFC 3398 §8.2.6.1: BYE is normal clearing. What the callee itself says stays."""
    for extra, expected in (
        ("", b'Q.850;cause=16;text="Normal call clearing"'),
        ("Reason: Q.850;cause=31", b"Q.850;cause=31"),
    ):
        wire = Wire(CALLER_TOLD)
        call = Established(wire)
        call.callee.say("BYE", extra=extra)
        (bye,) = wire.requests_to(CALLER, b"BYE")
        assert bye.values(b"reason") == [expected]


def test_a_cancel_goes_on_with_a_cause() -> None:
    """To a trunk that wants one; and to one that wants none, nothing of what the caller said."""
    for how, extra, expected in (
        ("q850", "", [b'Q.850;cause=16;text="Normal call clearing"']),
        ("q850", "Reason: Q.850;cause=31", [b"Q.850;cause=31"]),
        ("strip", "Reason: Q.850;cause=31", []),
        ("pass", "Reason: Q.850;cause=31", [b"Q.850;cause=31"]),
    ):
        wire = Wire(policy(boundary='{ reason = "' + how + '" }'))
        call = Ringing(wire)
        call.caller.cancel(extra)
        (cancel,) = wire.requests_to(TRUNK_A, b"CANCEL")
        assert cancel.values(b"reason") == expected


def test_a_telling_cause_decides_about_the_next_trunk() -> None:
    """503 with `user busy` is a busy callee, not a trunk that has failed: no other trunk is tried, and 486 goes up."""
    for statuses, reached, status in (("[503]", 0, 486), ("[]", 1, None)):
        wire = Wire(policy(boundary="{ status_from_cause = " + statuses + " }"))
        caller = Caller(wire)
        caller.start()
        (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
        assert isinstance(invite, Request)
        wire.send(reply(invite, 503, extra="Reason: Q.850;cause=17"), TRUNK_A)
        assert len(wire.requests_to(TRUNK_B, b"INVITE")) == reached
        finals = [answer for answer in wire.responses_to(CALLER) if answer.status >= 200]
        assert [answer.status for answer in finals] == ([] if status is None else [status])
        if status is not None:
            assert (wire.ended[0].status, wire.ended[0].q850, wire.ended[0].reason) == (486, 17, "busy")
