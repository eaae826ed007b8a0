"""Emergency calls (CPCE L33-1 f, D98-8): nothing commercial and no rule stands before them, and they are never cut."""

import pytest
from network import CALLER, FOREIGN, NOTHING, POLICY, TRUNK_A, TRUNK_B, Callee, Caller, Established, Wire, reply

DECK = "+33,all,0,0.60,1,1,0\n"
ACME = 'id = "acme"\n'
STATES = {
    "suspended (contract 13.1)": 'status = "suspended"',
    "closed": 'status = "closed"',
    "no concurrent calls (contract 25)": "calls_base = 0\ncalls_reserved = 0",
    "no attempts a second (contract 25)": "caps_base = 0",
    "no credit (contract 12.7)": 'credit = "prepaid"\nopening_balance = "0"',
    "a spending cap of nothing": 'spend_cap_day = "0"',
    "no destination that dear": 'max_rate = "0"',
    "telemarketing (contract 9.1.12)": 'purpose = "telemarketing-b2c"',
    "automated (contract 9.2.3)": 'kind = "automated"',
    "another's number (contract 9.1.8)": 'cli = { numbers = ["+33199001234"] }',
    "hidden callers refused": 'cli = { numbers = ["+33199001234"], withheld = "refuse" }',
    "its number replaced": 'cli = { numbers = ["+33199001234"], default = "+33199001234", unowned = "substitute" }',
}


def policy_of(state: str) -> str:
    """The tests' network, with this said of the account."""
    keys = {line.split(" = ")[0] for line in state.splitlines()}
    head, _, rest = POLICY.partition(ACME)
    body, gap, others = rest.partition("\n\n")
    kept = [line for line in body.splitlines() if line.split(" = ")[0] not in keys]
    return head + ACME + "\n".join([*kept, state]) + gap + others


@pytest.mark.parametrize("state", STATES.values(), ids=list(STATES))
@pytest.mark.parametrize("source", [CALLER, FOREIGN], ids=["customer", "abroad"])
@pytest.mark.parametrize("user", ["+33612345678", "anonymous", "+33891000001", "x"])
def test_whatever_is_said_of_the_account(state: str, source: tuple[str, int], user: str) -> None:
    """The call goes out as it came, no limit is asked, and the record says that it was an emergency call."""
    wire = Wire(policy_of(state), deck=DECK)
    caller = Caller(wire, called="112", user=user, source=source)
    caller.start(extra="Privacy: id")
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert invite.from_().uri == f"sip:{user}@{source[0]}".encode()
    Callee(wire, invite).answer(200)
    caller.learn(wire.responses_to(source)[-1])
    caller.ack()
    caller.say("BYE")
    wire.send(reply(wire.requests_to(TRUNK_A, b"BYE")[0], 200), TRUNK_A)
    (facts,) = wire.ended
    assert (facts.emergency, facts.reason, facts.price, facts.rule) == (True, "answered", None, "")
    assert (wire.admits(), wire.in_use()) == (0, 0)
    wire.advance(200)
    assert wire.held == NOTHING


@pytest.mark.parametrize("called", ["15", "0112", "01122", "+33112", "0033112", "112;phone-context=+33", "116000"])
def test_the_store_is_dead(called: str) -> None:
    """Nobody is asked, so nobody need answer. (`01122` is no emergency number, and is refused as any other.)"""
    wire = Wire()
    wire.is_store_away = True
    Caller(wire, called=called).start()
    invites = wire.requests_to(TRUNK_A, b"INVITE")
    assert len(invites) == (0 if called == "01122" else 1)


def test_under_full_load() -> None:
    """Calls at the ceiling, the bucket of attempts empty: ordinary attempts are refused, each emergency call passes."""
    wire = Wire(POLICY.replace("caps_base = 100\ncalls_base = 3", "caps_base = 3\ncaps_burst = 3\ncalls_base = 3"))
    for _ in range(3):
        Established(wire)
    for _ in range(20):
        Caller(wire).start()
        Caller(wire, called="112").start()
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 20
    assert [facts.status for facts in wire.ended] == [503] * 20
    assert not any(facts.emergency for facts in wire.ended)


def test_the_emergency_route_and_behind_it_the_ordinary_one() -> None:
    """A trunk kept for emergency calls is tried first; when it fails, whoever else there is."""
    kept = POLICY + '[[routes]]\nid = "rescue"\nprefixes = ["1"]\nemergency = true\ntrunks = ["b"]\n'
    wire = Wire(kept)
    Caller(wire, called="112").start()
    (invite,) = wire.requests_to(TRUNK_B, b"INVITE")
    wire.send(reply(invite, 503), TRUNK_B)
    assert len(wire.requests_to(TRUNK_A, b"INVITE")) == 1
    Caller(wire, called="+33261910000").start()
    assert (len(wire.requests_to(TRUNK_A, b"INVITE")), wire.requests_to(TRUNK_B, b"INVITE")) == (1, [])


REWRITING = POLICY.replace("[[egress]]", '[[egress]]\nrequest_uri = "trunk"', 1)
KEEPING = POLICY.replace("[[egress]]", '[[egress]]\nrequest_uri = "keep"', 1)
DIALLING = KEEPING.replace('"keep"', '"keep"\ncalled = [{ prefix = "17", replace = "0017" }]', 1)


@pytest.mark.parametrize(
    ("policy", "called", "leaves", "number", "sent"),
    [
        (REWRITING, "urn:service:sos", "sip:112@198.51.100.1:5060;user=phone", "112", "112"),
        (REWRITING, "URN:service:SOS.Police", "sip:17@198.51.100.1:5060;user=phone", "17", "17"),
        (KEEPING, "urn:service:sos.fire", "urn:service:sos.fire", "18", ""),
        (DIALLING, "urn:service:sos.police", "tel:0017", "17", "0017"),
    ],
)  # fmt: skip
def test_help_in_words(policy: str, called: str, leaves: str, number: str, sent: str) -> None:
    """RFC 5031: a trunk whose Request-URI we write gets the number, another one the words; the store may be dead."""
    wire = Wire(policy)
    wire.is_store_away = True
    caller = Caller(wire)
    caller.start(uri=called)
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    assert invite.uri.decode() == leaves
    Callee(wire, invite).answer(200)
    caller.learn(wire.responses_to(CALLER)[-1])
    caller.ack()
    caller.say("BYE")
    wire.send(reply(wire.requests_to(TRUNK_A, b"BYE")[0], 200), TRUNK_A)
    (facts,) = wire.ended
    assert (facts.emergency, facts.called, facts.called_rewritten, facts.called_original) == (
        True,
        number,
        sent,
        called,
    )
    wire.advance(200)
    assert wire.held == NOTHING
