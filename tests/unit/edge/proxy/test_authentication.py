"""Attempts that must prove whose they are, through the whole core: RFC 3261 §22.3, RFC 8760."""

import hashlib

import pytest
from network import CALLER, FOREIGN, NOTHING, TRUNK_A, Callee, Caller, Wire, reply

from edge.sip import digest
from edge.sip.message import Request
from limits.model import Answer

REALM, PASSWORD = b"sip.example", b"correct horse"


def hashed(name: str, algorithm: bytes) -> str:
    return digest.secret_of(algorithm, name.encode(), REALM, PASSWORD)


POLICY = f"""
[[accounts]]
id = "acme"
caps_base = 100
calls_base = 3

[digest]
realm = "sip.example"
nonce_s = 60
lockout_failures = 3
lockout_s = 100

[[credentials]]
id = "bob"
account = "acme"
sha256 = "{hashed("bob", b"sha-256")}"
md5 = "{hashed("bob", b"md5")}"

[[credentials]]
id = "old"
account = "acme"
md5 = "{hashed("old", b"md5")}"

[[ingress]]
id = "anywhere"
sources = ["192.0.2.0/24"]
digest = true

[[egress]]
id = "a"
uri = "sip:198.51.100.1:5060"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["a"]
"""


@pytest.fixture
def wire():
    return Wire(POLICY)


class Client(Caller):
    """A caller that answers challenges."""

    count = 0

    def challenged(self) -> list[dict[bytes, bytes]]:
        """The challenges in the one response that has come; it is acknowledged."""
        (response,) = self.wire.responses_to(self.source)
        assert response.status == 407
        self.ack_failure(response)
        found = [digest.parse_challenge(value) for value in response.values(b"proxy-authenticate")]
        return [challenge for challenge in found if challenge is not None]

    def again(
        self,
        challenge: dict[bytes, bytes],
        *,
        name: bytes = b"bob",
        password: bytes = PASSWORD,
        qop: bytes = b"auth",
        uri: str = "",
        body: str = "",
        signed: str | None = None,
        count: int = 0,
        extra: str = "",
    ) -> None:
        """The INVITE once more, in a transaction of its own (§22.2: CSeq one higher)."""
        self.count = count or self.count + 1
        self.cseq += 1
        self.branch += "n"
        algorithm = challenge[b"algorithm"].lower()
        target = (uri or f"sip:{self.called}@192.0.2.10:5060").encode()
        mine = digest.Credentials(
            name, REALM, challenge[b"nonce"], target, b"", algorithm, qop, b"%08x" % self.count, b"c"
        )
        secret = digest.secret_of(algorithm, name, REALM, password)
        response = digest.response_of(mine, secret, b"INVITE", (body if signed is None else signed).encode())
        line = (
            f'Proxy-Authorization: Digest username="{name.decode()}", realm="{REALM.decode()}", '
            f'nonce="{mine.nonce.decode()}", uri="{target.decode()}", response="{response}", '
            f"algorithm={challenge[b'algorithm'].decode()}"
        )
        if qop:
            line += f', qop={qop.decode()}, nc={self.count:08x}, cnonce="c"'
        self.start(extra=f"{extra}{line}", body=body)


def onward(wire) -> Request:
    """The INVITE that reached the trunk."""
    (invite,) = wire.requests_to(TRUNK_A, b"INVITE")
    return invite


def test_a_caller_is_asked_then_believed(wire):
    """407 without a record; then the account of the user name, one record, and no credentials further on."""
    client = Client(wire)
    client.start()
    challenges = client.challenged()
    assert [one[b"algorithm"] for one in challenges] == [b"SHA-256", b"MD5"]
    assert (wire.ended, wire.core.counters.attempts, wire.core.counters.challenges) == ([], 0, 1)
    client.again(challenges[0])
    invite = onward(wire)
    assert not invite.has(b"proxy-authorization")
    assert wire.in_use() == 1
    Callee(wire, invite).answer(200)
    assert all(b"response=" not in verb.record for verb in wire.asked if isinstance(verb, Answer))
    client.learn(wire.responses_to(CALLER)[-1])
    client.ack()
    wire.requests_to(TRUNK_A)
    client.say("BYE")
    wire.send(reply(wire.requests_to(TRUNK_A, b"BYE")[0], 200), TRUNK_A)
    assert [(record.account, record.reason) for record in wire.ended] == [("acme", "answered")]
    wire.advance(64)
    assert wire.held == NOTHING


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("qop", [b"auth", b"auth-int"])
def test_both_algorithms_and_both_qualities(wire, index, qop):
    """RFC 8760 §2.3: the client chooses."""
    client = Client(wire)
    client.start(body="v=0")
    client.again(client.challenged()[index], qop=qop, body="v=0")
    onward(wire)


def test_a_body_that_was_changed_on_the_way(wire):
    """auth-int covers it."""
    client = Client(wire)
    client.start()
    client.again(client.challenged()[0], qop=b"auth-int", body="v=1", signed="v=0")
    assert client.challenged()
    assert [record.reason for record in wire.ended] == ["credentials_refused"]


@pytest.mark.parametrize(
    "wrong", [{"password": b"guess"}, {"name": b"nobody"}, {"uri": "sip:+33899000000@192.0.2.10:5060"}]
)
def test_wrong_credentials(wire, wrong):
    """Password, name, or made for another called number: asked again, and it is on record."""
    client = Client(wire)
    client.start()
    client.again(client.challenged()[0], **wrong)
    assert client.challenged()
    (record,) = wire.ended
    assert (record.status, record.reason, record.account) == (407, "credentials_refused", "")
    assert wire.admits() == 0


def test_a_user_without_the_better_hash(wire):
    """SHA-256 is offered, but only MD5 is known of him: MD5 passes, SHA-256 is as wrong as any guess."""
    client = Client(wire)
    client.start()
    challenges = client.challenged()
    client.again(challenges[0], name=b"old")
    client.again(client.challenged()[1], name=b"old")
    onward(wire)


@pytest.mark.parametrize(
    "change", ["sip:proxy.example", "sip:+33170000001@proxy.example", "sip:+33170000001@192.0.2.10:5060;x=1"]
)
def test_a_proxy_between_may_change_the_address(wire, change):
    """RFC 8760 §2.6 item 6: the same user at another host; or the domain alone, as some equipment writes it."""
    client = Client(wire)
    client.start()
    client.again(client.challenged()[0], uri=change)
    onward(wire)


def test_a_nonce_serves_many_calls(wire):
    """Counts rise; without a new question. When it is too old there is one, with stale=true."""
    client = Client(wire)
    client.start()
    challenge = client.challenged()[0]
    for _ in range(3):
        client.again(challenge)
        onward(wire)
        client.call_id += "x"
    wire.advance(61)
    wire.responses_to(CALLER)
    client.again(challenge)
    (first, _) = client.challenged()
    assert first[b"stale"] == b"true"
    assert wire.core.counters.lockouts == 0


def test_a_request_that_is_played_back(wire):
    """The same count again, from the same address: stale, never a call."""
    client = Client(wire)
    client.start()
    challenge = client.challenged()[0]
    client.again(challenge)
    onward(wire)
    client.call_id = "another"
    wire.responses_to(CALLER)
    client.again(challenge, count=1)
    assert client.challenged()[0][b"stale"] == b"true"
    assert wire.requests_to(TRUNK_A) == []


def test_credentials_of_another_address(wire):
    """A nonce is good where it was given."""
    client = Client(wire)
    client.start()
    challenge = client.challenged()[0]
    thief = Client(wire, source=FOREIGN)
    thief.again(challenge)
    assert b"stale" not in thief.challenged()[0]
    assert wire.requests_to(TRUNK_A) == []


def test_a_nonce_from_before_a_restart(wire):
    """The process that gave it is no more: asked anew."""
    client = Client(wire)
    client.start()
    challenge = client.challenged()[0]
    wire.new_core()
    client.again(challenge)
    client.again(client.challenged()[0], count=1)
    onward(wire)


def test_without_qop(wire):
    """RFC 2069: refused, unless the document allows it; then a nonce is good once."""
    client = Client(wire)
    client.start()
    client.again(client.challenged()[1], qop=b"")
    client.challenged()
    lax = Wire(POLICY.replace("nonce_s", "needs_qop = false\nnonce_s"))
    client = Client(lax)
    client.start()
    challenge = client.challenged()[1]
    client.again(challenge, qop=b"")
    onward(lax)
    lax.responses_to(CALLER)
    client.call_id = "another"
    client.again(challenge, qop=b"")
    assert client.challenged()[0][b"stale"] == b"true"


def test_guessing_ends(wire):
    """Three wrong passwords: 403 for everything from there, a fact, and after the time a question again."""
    client = Client(wire)
    client.start()
    challenge = client.challenged()[0]
    for _ in range(3):
        client.again(challenge, password=b"guess")
        challenge = client.challenged()[0]
    client.again(challenge)
    assert wire.statuses_to(CALLER) == [403]
    assert [fields["source"] for fields in wire.told("caller.locked_out")] == [CALLER[0]]
    assert wire.core.counters.refused["locked_out"] == 1
    wire.advance(101)
    wire.responses_to(CALLER)
    client.again(challenge)
    client.again(client.challenged()[0], count=1)
    onward(wire)


def test_whoever_guesses_at_a_name_does_not_shut_its_owner_out(wire):
    """Three addresses, one guess each: the name is closed to addresses it was never right from, its owner calls on."""
    owner = Client(wire)
    owner.start()
    owner.again(owner.challenged()[0])
    onward(wire)
    wire.responses_to(CALLER)
    for host in ("192.0.2.50", "192.0.2.51", "192.0.2.52"):
        thief = Client(wire, source=(host, 5060))
        thief.start()
        thief.again(thief.challenged()[0], password=b"guess")
        thief.challenged()
    stranger = Client(wire, source=("192.0.2.53", 5060))
    stranger.start()
    stranger.again(stranger.challenged()[0])
    assert wire.statuses_to(("192.0.2.53", 5060)) == [403]
    again = Client(wire)
    again.start()
    again.again(again.challenged()[0])
    onward(wire)


def test_guesses_fill_no_disk():
    """As of strangers, only so many records a minute; their sum is what came."""
    wire = Wire(POLICY.replace("lockout_failures = 3", "lockout_failures = 1000"))
    client = Client(wire)
    client.start()
    challenge = client.challenged()[0]
    for number in range(200):
        client.call_id = f"guess-{number}"
        client.again(challenge, password=hashlib.md5(b"%d" % number).digest().hex().encode())
        challenge = client.challenged()[0]
    wire.advance(61)
    assert len(wire.ended) < 100
    assert sum(record.attempts for record in wire.ended) == 200


def test_credentials_for_another_realm_go_on(wire):
    """§22.3: only ours are taken off."""
    client = Client(wire)
    client.start()
    other = 'Proxy-Authorization: Digest username="x", realm="other", nonce="n", uri="sip:y", response="z"\n'
    client.again(client.challenged()[0], extra=other)
    (left,) = onward(wire).values(b"proxy-authorization")
    assert b'realm="other"' in left


@pytest.mark.parametrize(
    "line",
    [
        'Proxy-Authorization: Digest username="x"',
        'Proxy-Authorization: Digest username="x", realm="sip.example", nonce="n", uri="u", response="r", qop=auth',
        'Proxy-Authorization: Digest username="x", realm="sip.example", nonce="n", uri="u", response="r"\n'
        'Proxy-Authorization: Digest username="y", realm="sip.example", nonce="n", uri="u", response="r"',
    ],
)
def test_what_cannot_be_read(wire, line):
    """400, and no attempt is counted as a guess."""
    client = Client(wire)
    client.start(extra=line)
    assert wire.statuses_to(CALLER) == [400]
    assert wire.core.counters.lockouts == 0


def test_an_emergency_call_needs_no_password(wire):
    """R16."""
    client = Client(wire, called="112")
    client.start()
    onward(wire)


def test_a_request_inside_the_dialog_is_not_asked(wire):
    """Our token in its route is proof enough."""
    client = Client(wire)
    client.start()
    client.again(client.challenged()[0])
    Callee(wire, onward(wire)).answer(200)
    client.learn(wire.responses_to(CALLER)[-1])
    client.ack()
    client.say("INVITE")
    assert b"INVITE" in wire.methods_to(TRUNK_A)
