"""edge.policy.pipeline"""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import FINAL_STAGES, STAGES, judge
from edge.policy.verdicts import Reason, Refuse
from edge.sip.errors import FieldError, ParseError
from edge.sip.message import Request, parse

OPEN = PolicySnapshot(
    parse_policy("""
[[accounts]]
id = "acme"
[[ingress]]
id = "all"
sources = ["0.0.0.0/0"]
account = "acme"
class = "international"
[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
[[routes]]
id = "any"
prefixes = [""]
trunks = ["a"]
""")
)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        ({"source": "9.9.9.9", "called": "sip:h", "cli": "sip:0199001234@h"}, Reason.UNKNOWN_SOURCE),
        ({"source": "203.0.113.1", "called": "sip:h", "cli": "sip:0199001234@h"}, Reason.CALLED_INVALID),
        ({"source": "203.0.113.1", "cli": "sip:0199001234@h"}, Reason.CLI_REFUSED),
    ],
)
def test_first_refusal_ends_it(
    snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt], of: dict[str, str], reason: Reason
) -> None:
    """Who, then which numbers, then may they be shown."""
    assert Refuse(reason) == judge(attempt_of(**of), snapshot)


def test_sound_attempt(snapshot: PolicySnapshot, attempt_of: Callable[..., CallAttempt]) -> None:
    """A sound attempt leaves with all that the record and the core want to know."""
    attempt = attempt_of()
    assert judge(attempt, snapshot) is None
    assert attempt.account is not None
    assert (
        attempt.account.id,
        attempt.cli_presented,
        attempt.called,
        attempt.route,
        [trunk.id for trunk in attempt.candidates],
    ) == ("acme", "+33199001234", "+33261910000", "any", ["a", "b"])


@given(
    cli=st.binary(max_size=60),
    called=st.binary(max_size=60),
    pai=st.binary(max_size=60),
    privacy=st.binary(max_size=20),
)
def test_never_an_exception(cli: bytes, called: bytes, pai: bytes, privacy: bytes) -> None:
    """Whatever a message that parses says, there is a verdict; a From that is no address is the core's to refuse."""
    data = (
        b"INVITE sip:"
        + called
        + b"@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:"
        + cli
        + b"@h>;tag=1"
        b"\r\nTo: <sip:x@h>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nP-Asserted-Identity: " + pai + b"\r\nPrivacy: " + privacy
    ) + b"\r\nContent-Length: 0\r\n\r\n"
    try:
        request = parse(data)
        assert isinstance(request, Request)
        request.from_()
    except (ParseError, FieldError):
        return
    attempt = CallAttempt(request=request, source_host="192.0.2.1", source_port=1, listener="", draw=0.5)
    verdict = judge(attempt, OPEN)
    assert (verdict is None) == bool(attempt.candidates)


WATCHED = """
[[cli_rules]]
id = "nobody"
action = "refuse"
"""


@pytest.mark.parametrize(
    ("head", "of_account", "shadow"),
    [
        ("", "", None),
        ('shadow_refusals = ["cli_refused"]', "", ["cli_refused"]),
        ("", 'shadow_refusals = ["cli_refused"]', ["cli_refused"]),
        ("", 'shadow_refusals = ["cli_withheld"]', None),
    ],
)
def test_shadow_refusals(
    document_with: Callable[..., PolicySnapshot],
    attempt_of: Callable[..., CallAttempt],
    head: str,
    of_account: str,
    shadow: list[str] | None,
) -> None:
    """A refusal in the shadow, of the document or of the account, is noted and the next stage is asked."""
    attempt = attempt_of()
    verdict = judge(attempt, document_with(head, of_account, WATCHED))
    if shadow is None:
        assert verdict == Refuse(Reason.CLI_REFUSED)
    else:
        assert (verdict, attempt.shadowed, attempt.rule, bool(attempt.candidates)) == (None, shadow, "nobody", True)


def test_final_stages_are_stages() -> None:
    """What cannot be in the shadow is refused at the door, and the stages that say it never are."""
    assert set(FINAL_STAGES) < set(STAGES)


def test_a_barred_route_stays_barred(
    document_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]
) -> None:
    """Its token in the shadow cannot find another way for the call: that is `shadow-barred`, on the route itself."""
    barred = '[[routes]]\nid = "premium"\nprefixes = ["+3389"]\nmode = "barred"\n'
    attempt = attempt_of(called="sip:0891234567@h")
    snapshot = document_with('shadow_refusals = ["destination_barred"]', "", barred)
    assert judge(attempt, snapshot) == Refuse(Reason.DESTINATION_BARRED)
    assert attempt.shadowed == []
