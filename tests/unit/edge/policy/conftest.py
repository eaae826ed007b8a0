"""One network for the tests of the pipeline, and attempts that reach it. `france` is a neighbour of these tests, no
package: importlib mode needs telling."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from france import CONTEXTS, NOW, wall

from edge.config.parsing import parse_policy
from edge.config.schema import PolicyDocument
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.sip.message import Request, parse

NETWORK = """
[[accounts]]
id = "acme"

[[accounts]]
id = "robot"
kind = "automated"
refusal_profile = "pbx"
store_away = "admit"

[[ingress]]
id = "customer"
sources = ["192.0.2.0/24"]
account = "acme"

[[ingress]]
id = "dialler"
sources = ["192.0.2.128/25"]
account = "robot"

[[ingress]]
id = "neighbour"
sources = ["198.51.100.1"]
account = "acme"
trusted = true
account_header = "X-Account"
refusal_profile = "pbx"

[[ingress]]
id = "named-only"
sources = ["198.51.100.2"]
trusted = true
account_header = "X-Account"

[[ingress]]
id = "abroad"
sources = ["203.0.113.0/24", "2001:db8::/32"]
account = "acme"
class = "international"

[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
weight = 3

[[egress]]
id = "b"
uri = "sip:127.0.0.1:5071"

[[routes]]
id = "any"
prefixes = [""]
trunks = ["a", "b"]
"""


def _snapshot(more: str = "") -> PolicySnapshot:
    return PolicySnapshot(parse_policy(NETWORK + more), generation=3)


def _attempt(
    *,
    source: str = "192.0.2.1",
    cli: str | bytes = "sip:+33199001234@192.0.2.1",
    called: str | bytes = "sip:+33261910000@198.51.100.254",
    headers: Sequence[str | bytes] = (),
    listener: str = "udp:198.51.100.254:5060",
    draw: float = 0.0,
) -> CallAttempt:
    def raw(text: str | bytes) -> bytes:
        return text if isinstance(text, bytes) else text.encode()

    lines = [
        b"INVITE " + raw(called) + b" SIP/2.0",
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1",
        b"Max-Forwards: 70",
        b"From: <" + raw(cli) + b">;tag=f",
        b"To: <" + raw(called) + b">",
        b"Call-ID: c",
        b"CSeq: 1 INVITE",
        *map(raw, headers),
        b"Content-Length: 0",
    ]
    request = parse(b"\r\n".join(lines) + b"\r\n\r\n")
    assert isinstance(request, Request)
    return CallAttempt(request=request, source_host=source, source_port=5060, listener=listener, draw=draw)


@pytest.fixture(scope="session")
def snapshot_with() -> Callable[..., PolicySnapshot]:
    """A snapshot of the tests' network, with more TOML at its end."""
    return _snapshot


@pytest.fixture(scope="session")
def document_with() -> Callable[..., PolicySnapshot]:
    """The network with lines at its head, in the first account, and at its end."""

    def make(head: str, of_account: str, more: str) -> PolicySnapshot:
        text = head + NETWORK.replace('id = "acme"', f'id = "acme"\n{of_account}', 1) + more
        return PolicySnapshot(parse_policy(text), generation=3)

    return make


@pytest.fixture(scope="session")
def snapshot() -> PolicySnapshot:
    """The tests' network as it is."""
    return _snapshot()


@pytest.fixture(scope="session")
def attempt_of() -> Callable[..., CallAttempt]:
    """An attempt as it would arrive: numbers as URIs, further header lines whole."""
    return _attempt


@pytest.fixture(scope="session")
def account_document() -> Callable[[str], PolicyDocument]:
    """The document of the tests' network, with more keys of the account `acme`."""

    def build(settings: str) -> PolicyDocument:
        return parse_policy(NETWORK.replace('id = "acme"\n', f'id = "acme"\n{settings}\n', 1))

    return build


@pytest.fixture(scope="session")
def account_with() -> Callable[..., PolicySnapshot]:
    """The tests' network, with more keys of the account `acme`, and more TOML at its end."""

    def build(settings: str, more: str = "") -> PolicySnapshot:
        document = NETWORK.replace('id = "acme"\n', f'id = "acme"\n{settings}\n', 1)
        return PolicySnapshot(parse_policy(document + more), generation=3)

    return build


@pytest.fixture(scope="session")
def outcome(attempt_of: Callable[..., CallAttempt]) -> Callable[..., str]:
    """What becomes of one attempt, in a word: `pass`, `mask`, `tag`, or the token of its refusal."""

    def run(
        snapshot: PolicySnapshot,
        context: str,
        cli: str,
        *,
        at: str = NOW,
        called: str = "+33261910000",
        headers: tuple[str, ...] = (),
    ) -> str:
        attempt = attempt_of(source=CONTEXTS[context], cli=cli, called=f"sip:{called}@h", headers=headers)
        attempt.wall = wall(at)
        refusal = judge(attempt, snapshot)
        if refusal is not None:
            return refusal.reason.value
        if attempt.treatment:
            return attempt.treatment
        return (
            "tag"
            if any(tag.endswith((".natl_unsigned", ".natl_unverified", "withheld.automated")) for tag in attempt.tags)
            else "pass"
        )

    return run
