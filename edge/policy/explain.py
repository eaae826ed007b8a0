"""`edge explain`: the same stages with a trace of what each found, and no side effect. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

from edge.config.basis import Basis
from edge.config.rulebook import ALWAYS
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.companions import COMPANIONS
from edge.policy.pipeline import STAGES, in_shadow
from edge.policy.reasons import BASIS
from edge.policy.verdicts import Reason, RefusalAnswer, Refuse, answer, profile_of
from edge.sip import compose
from edge.sip.errors import FieldError, LocalError
from edge.sip.message import Request, parse
from edge.sip.uri import emergency_service

NOT_ASKED: Final = "the limits were not asked"
_OUR_HOST: Final = b"edge.invalid"
_USER_CHARACTERS: Final = "+*-_.!~'()&=$,;?/"


class Step(NamedTuple):
    """One line of the trace."""

    stage: str
    """Name of the stage's function."""
    found: str
    rule: str = ""
    """The line of policy that decided."""
    basis: Basis | None = None
    """What it rests on, where something was decided."""
    refused: Reason | None = None
    shadow: tuple[str, ...] = ()
    """What would have been refused here, were it enforced."""


class Explanation(NamedTuple):
    """What would become of an attempt: by policy alone, or with the limits behind it (`edge.policies.foreseeing`)."""

    steps: tuple[Step, ...]
    refusal: Refuse | None
    answer: RefusalAnswer | None
    """What the caller would be told; None: it would pass."""
    unknown: str = NOT_ASKED
    """What keeps us from knowing what the limits say; empty: they are among the steps."""
    ceiling: int | None = None
    """Of the limit that refuses."""
    refusal_days: int = 0
    """Full calendar days for which a consumer's refusal holds at that instant; 0: no rule says so."""


def explain(attempt: CallAttempt, snapshot: PolicySnapshot) -> Explanation:
    """Walk the stages and say what each found."""
    steps: list[Step] = []
    for stage in STAGES:
        noted = len(attempt.shadow), len(attempt.shadowed)
        refusal = stage(attempt, snapshot)
        found = COMPANIONS[stage](attempt, snapshot, refusal)
        if refusal is None:
            if found.text:  # a stage that had nothing to do says nothing
                steps.append(Step(stage.__name__, found.text, found.rule, found.basis, None, _new(attempt, noted)))
            continue
        reason = refusal.reason
        is_final = not in_shadow(stage, refusal, attempt)
        verdict = f"refused, {reason}" if is_final else f"would be refused, {reason}"
        text = f"{found.text}: {verdict}" if found.text else verdict
        basis = found.basis or BASIS[reason]
        shadow = _new(attempt, noted)
        steps.append(Step(stage.__name__, text, found.rule, basis, reason if is_final else None, shadow))
        if is_final:
            told = answer(reason, profile_of(attempt, snapshot), detail=refusal.detail)
            return Explanation(tuple(steps), refusal, told, refusal_days=_refusal_days(attempt, snapshot))
    return Explanation(tuple(steps), None, None, refusal_days=_refusal_days(attempt, snapshot))


def _refusal_days(attempt: CallAttempt, snapshot: PolicySnapshot) -> int:
    law = snapshot.conduct.law
    refusals = None if law is None else law.era(attempt.wall).refusals
    return 0 if refusals is None else refusals.days


def _new(attempt: CallAttempt, noted: tuple[int, int]) -> tuple[str, ...]:
    """What has been noted in the shadow since there was so much."""
    return (*attempt.shadow[noted[0] :], *attempt.shadowed[noted[1] :])


def imagine(
    *,
    source: str,
    listener: str,
    cli: str,
    called: str,
    asserted: Sequence[str] = (),
    diverting: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    tls_names: Sequence[str] = (),
    username: str = "",
    draw: float = 0.0,
    wall: float = ALWAYS,
) -> CallAttempt:
    """An attempt as it would come from `source`. `cli`, `called`, `asserted` and `diverting` (Diversion) are numbers
    or whole URIs; `tls_names`, `username`: what its certificate and its password have proved; `wall`: UTC seconds.

    Raises LocalError or ParseError for values that cannot stand in a message."""
    lines = [(b"P-Asserted-Identity", b"<" + _uri(value) + b">") for value in asserted]
    lines += [(b"Diversion", b"<" + _uri(value) + b">;reason=unconditional") for value in diverting]
    lines += [(name.encode(), value.encode()) for name, value in headers]
    data = compose.request(
        b"INVITE",
        _uri(called),
        via=b"SIP/2.0/UDP explain.invalid;branch=z9hG4bKexplain",
        from_=b"<" + _uri(cli) + b">;tag=explain",
        to=b"<" + _uri(called) + b">",
        call_id=b"explain",
        cseq=1,
        headers=lines,
    )
    request = parse(data)
    assert isinstance(request, Request)
    try:
        request.from_()
    except FieldError as error:
        raise LocalError(str(error)) from error
    attempt = CallAttempt(
        request=request,
        source_host=source,
        source_port=5060,
        listener=listener,
        draw=draw,
        wall=wall,
        tls_names=tuple(tls_names),
    )
    attempt.username = username
    return attempt


def _uri(text: str) -> bytes:
    """A URI as it is; a number as the user part of one, escaped where it must be (RFC 3261 §25.1)."""
    if text.partition(":")[0].lower() in ("sip", "sips", "tel") or emergency_service(text.encode()):
        return text.encode()
    return b"sip:" + quote(text, safe=_USER_CHARACTERS).encode() + b"@" + _OUR_HOST
