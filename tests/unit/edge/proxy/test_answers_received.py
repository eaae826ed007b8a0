"""Calls that an account receives: counted when they are answered, for whoever claims to be a small system."""

import pytest
from network import CALLER, POLICY, TRUNK_A, Callee, Caller, Established, Wire

from limits.model import Answer

SMALL = """
[[accounts]]
id = "small"
kind = "automated"
caps_base = 100
calling = { small_system = true }
cli = { numbers = ["+33170000000..+33170000099"] }
"""
OWN_TRUNK = SMALL.replace("+33170000000..+33170000099", "+33465710000")
TO_SMALL = POLICY.replace('uri = "sip:198.51.100.1:5060"', 'uri = "sip:198.51.100.1:5060"\naccount = "small"')
"""Trunk a is its own."""
OF_SMALL = SMALL + POLICY.replace('account = "acme"', 'account = "small"', 1)
"""Its own calls come by the ordinary trunk."""


def received(wire: Wire) -> list[str]:
    return [verb.account for verb in wire.asked if isinstance(verb, Answer) and verb.is_received]


def counts(wire: Wire) -> dict[str, str]:
    return {name[:1]: count for name, count in wire.usage("small").shares if name != "since"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (POLICY + SMALL, ["small"]),
        (TO_SMALL + OWN_TRUNK, ["small"]),
        (POLICY + OWN_TRUNK, []),
        (POLICY, []),
    ],
)  # fmt: skip
def test_an_answered_call_is_received_1_2_3(policy: str, expected: list[str]) -> None:
    """By the trunk's account, or the number's; once, whatever the dialog goes on to say."""
    wire = Wire(policy)
    call = Established(wire)
    call.callee.answer(200)
    call.caller.say("INFO")
    assert received(wire) == expected


def test_what_nobody_takes_is_not_received() -> None:
    """Ringing counts nothing; nor does what the account calls itself; nor what the store did not hear of."""
    wire = Wire(OF_SMALL)
    caller = Caller(wire, user="+33170000002")
    caller.start()
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    Callee(wire, invite).answer(200)
    assert (wire.statuses_to(CALLER)[-1], received(wire), counts(wire)) == (200, [], {"p": "1"})

    other = Wire(POLICY + SMALL)
    caller = Caller(other)
    caller.start()
    (invite,) = other.requests_to(TRUNK_A, b"INVITE")
    callee = Callee(other, invite)
    callee.answer(180)
    assert received(other) == []
    other.is_store_away = True
    callee.answer(200)
    other.is_store_away = False
    other.advance(30)
    assert (received(other), counts(other)) == (["small"], {})


def test_a_small_system_whose_calls_are_few_against_those_it_receives() -> None:
    """Six numbers in 30 days are too many; but a fifth of what it has received is not."""
    wire = Wire(OF_SMALL)
    wire.now += 40 * 86_400

    def dial(last: int, own: str = "+33170000002") -> int:
        caller = Caller(wire, user=own, called=f"+3346571000{last}")
        caller.start()
        invites = wire.requests_to(TRUNK_A, b"INVITE")
        for invite in invites:
            wire.send(b"SIP/2.0 486 Busy\r\n" + b"\r\n".join(
                line for line in invite.lines if line.split(b":")[0] in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")
            ) + b"\r\n\r\n", TRUNK_A)  # fmt: skip
        return wire.statuses_to(CALLER)[-1]

    assert [dial(last) for last in range(6)] == [486] * 5 + [403]
    assert wire.ended[-1].limit == "frequency:small-system"
    wire.advance(32 * 86_400)
    assert [dial(last) for last in range(6)] == [486] * 5 + [403]
    for number in range(30):
        wire.limiter.submit(Answer("small", f"in{number}", is_received=True))
    wire.limiter.flush()
    wire.core.outbox.facts.clear()
    assert [dial(last) for last in (6, 7)] == [486, 403]
