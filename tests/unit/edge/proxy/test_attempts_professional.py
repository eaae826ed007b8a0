"""Accounts that call for one professional: attempts, refusals and consents are those of all of them together."""

import pytest
from network import CALLER, FOREIGN, NOTHING, POLICY, TRUNK_A, WALL_OFFSET, Address, Callee, Caller, Wire

from edge.proxy.identifiers import Identifiers
from limits.frequency import Contacted
from limits.model import PROFESSIONAL, Admit

SELLS = """purpose = "telemarketing-b2c"
calling = { professional = "acme-sa", consent = "CONSENT", hours_waiver = "attested" }
"""
ALL = PROFESSIONAL + "acme-sa"
CONSUMER = "+33170000001"
DIGEST = Identifiers(secret=b"0123456789abcdef", fresh=bytes).number_digest(CONSUMER)
NOW_MS = int(WALL_OFFSET * 1_000)


def selling(consent: str = "attested") -> Wire:
    """acme and fragile call for acme-sa; slow calls for nobody."""
    sells = SELLS.replace("CONSENT", consent)
    text = POLICY.replace('id = "acme"\n', f'id = "acme"\n{sells}', 1).replace(
        'id = "fragile"\n', f'id = "fragile"\n{sells}', 1
    )
    return Wire(text.replace('account = "acme"\nclass = "international"', 'account = "fragile"'))


def rings(wire: Wire, source: Address, called: str = CONSUMER) -> str:
    """One attempt; the reason of its refusal, empty: it was sent on, and the callee is busy."""
    before = len(wire.ended)
    caller = Caller(wire, user="+33199001234", source=source, called=called)
    caller.start()
    sent = wire.requests_to(TRUNK_A, b"INVITE")
    if not sent:
        wire.statuses_to(source)
        return wire.ended[before].reason
    callee = Callee(wire, sent[0], TRUNK_A)
    callee.answer(486)
    wire.requests_to(TRUNK_A)
    wire.statuses_to(source)
    return ""


def test_four_attempts_in_all():
    """D223-9: two by one account, two by the other; then neither may, and another person is called."""
    wire = selling()
    assert [rings(wire, source) for source in (CALLER, FOREIGN, CALLER, FOREIGN)] == [""] * 4
    assert [rings(wire, source) for source in (CALLER, FOREIGN)] == ["contact_attempts"] * 2
    refused = wire.ended[-1]
    assert (refused.limit, refused.limit_holder, refused.ceiling) == ("frequency:telemarketing", ALL, 4)
    assert rings(wire, CALLER, "+33170000002") == ""
    assert (wire.in_use(), wire.in_use("fragile"), wire.in_use(ALL)) == (0, 0, 0)


def test_a_refusal_told_to_one_of_them_binds_the_other():
    """Recorded of the professional; one recorded of an account before it had a professional goes on to bind it."""
    wire = selling()
    wire.limiter.note_contact(ALL, DIGEST, Contacted(refused_ms=NOW_MS))
    assert [rings(wire, source) for source in (CALLER, FOREIGN)] == ["contact_refused"] * 2

    before = selling()
    before.limiter.note_contact("acme", DIGEST, Contacted(refused_ms=NOW_MS))
    assert [rings(before, source) for source in (CALLER, FOREIGN)] == ["contact_refused", ""]


def test_a_consent_is_the_professionals():
    """Given to one account it stands for all; without it neither calls."""
    wire = selling("list")
    assert [rings(wire, source) for source in (CALLER, FOREIGN)] == ["consent_missing"] * 2
    wire.limiter.note_contact(ALL, DIGEST, Contacted(consent_ms=NOW_MS))
    assert [rings(wire, source) for source in (CALLER, FOREIGN)] == [""] * 2


def test_what_was_never_sent_is_no_attempt():
    """Given up while the trunk's name was looked up: neither the account nor the professional counts it."""
    wire = selling()
    for _ in range(5):
        caller = Caller(wire, user="+33199001234", called="+33199000001")
        caller.start()
        caller.cancel()
        wire.resolve("198.51.100.9")
    assert wire.requests_to(("198.51.100.9", 5060)) == []
    Caller(wire, user="+33199001234", called="+33199000001").start()
    wire.resolve("198.51.100.9")
    assert len(wire.requests_to(("198.51.100.9", 5060))) == 1


def test_other_calls_do_not_ask():
    """An account that sells nothing, or is a professional of its own, costs the store one question."""
    wire = Wire(POLICY)
    rings(wire, CALLER)
    assert [verb.account for verb in wire.asked if isinstance(verb, Admit)] == ["acme"]


@pytest.mark.parametrize("holder", ["acme", ALL])
def test_nothing_is_left(holder):
    """Both leases run as long as the call and end with it."""
    wire = selling()
    rings(wire, CALLER)
    wire.advance(40)
    assert wire.in_use(holder) == 0
    assert wire.held == NOTHING
