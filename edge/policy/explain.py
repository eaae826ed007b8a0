"""`edge explain`: the same stages with a trace of what each found, and no side effect. Pure."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote

from edge.config.money import format_money
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.numbers import called_number
from edge.policy.pipeline import STAGES
from edge.policy.screening import judged
from edge.policy.spelling import NUMBER, Reading
from edge.policy.verdicts import RefusalAnswer, Refuse, answer, profile_of
from edge.sip import compose
from edge.sip.errors import FieldError, LocalError
from edge.sip.message import Request, parse
from limits.model import QUANTUM_S
from limits.rates import cost, interval_s

_OUR_HOST = b"edge.invalid"
_USER_CHARACTERS = "+*-_.!~'()&=$,;?/"


class Step(NamedTuple):
    """One line of the trace."""

    stage: str
    """Name of the stage's function."""
    found: str


class Explanation(NamedTuple):
    """What would become of an attempt, limits aside."""

    steps: tuple[Step, ...]
    refusal: Refuse | None
    answer: RefusalAnswer | None
    """What the caller would be told; None: the limits would be asked."""


def explain(attempt: CallAttempt, snapshot: PolicySnapshot) -> Explanation:
    """Walk the stages and say what each found."""
    steps: list[Step] = []
    for stage in STAGES:
        refusal = stage(attempt, snapshot)
        found = _TRACES[stage.__name__](attempt, snapshot)
        if refusal is not None:
            steps.append(
                Step(stage.__name__, f"{found}: refused, {refusal.reason}" if found else f"refused, {refusal.reason}")
            )
            return Explanation(tuple(steps), refusal, answer(refusal.reason, profile_of(attempt, snapshot)))
        steps.append(Step(stage.__name__, found))
    return Explanation(tuple(steps), None, None)


def imagine(
    *,
    source: str,
    listener: str,
    cli: str,
    called: str,
    asserted: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    draw: float = 0.0,
) -> CallAttempt:
    """An attempt as it would come from `source`. `cli`, `called` and `asserted` are numbers or whole URIs.

    Raises LocalError or ParseError for values that cannot stand in a message."""
    lines = [(b"P-Asserted-Identity", b"<" + _uri(value) + b">") for value in asserted]
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
    return CallAttempt(request=request, source_host=source, source_port=5060, listener=listener, draw=draw)


def _uri(text: str) -> bytes:
    """A URI as it is; a number as the user part of one, escaped where it must be (RFC 3261 §25.1)."""
    if text.partition(":")[0].lower() in ("sip", "sips", "tel"):
        return text.encode()
    return b"sip:" + quote(text, safe=_USER_CHARACTERS).encode() + b"@" + _OUR_HOST


def _trace_identity(attempt: CallAttempt, snapshot: PolicySnapshot) -> str:
    if attempt.ingress is None:
        return f"{attempt.source_host} belongs to no ingress trunk"
    trunk = f"{attempt.source_host} is ingress trunk {attempt.ingress.id}, class {attempt.ingress_class}"
    if attempt.account is None:
        return f"{trunk}; no account"
    return f"{trunk}; account {attempt.account.id}, {attempt.account.kind}"


def _trace_numbers(attempt: CallAttempt, snapshot: PolicySnapshot) -> str:
    if not attempt.called:
        return "no called number"
    called = f"called {attempt.called}" + (", emergency" if attempt.emergency else "")
    if attempt.sender is None:
        return f"{called}; numbers are not read"
    said = [f"From {_said(attempt.sender, snapshot)}"]
    said += [f"P-Asserted-Identity {_said(reading, snapshot)}" for reading in attempt.network]
    shown = "withheld" if attempt.withheld else attempt.cli_presented or "none"
    return f"{called}; {'; '.join(said)}; presented {shown}"


def _trace_screening(attempt: CallAttempt, snapshot: PolicySnapshot) -> str:
    shadow = f"; would be refused by {', '.join(attempt.shadow)}" if attempt.shadow else ""
    if attempt.emergency:
        return "an emergency call is not screened"
    if not attempt.rule:
        return f"{len(snapshot.rules)} rules, none applies{shadow}"
    rule = next(rule for rule in snapshot.rules if rule.id == attempt.rule)
    numbers = ", ".join(_said(reading, snapshot) for reading in judged(rule.which, attempt))
    return f"rule {rule.id} says {rule.action} of {numbers}{shadow}"


def _trace_routing(attempt: CallAttempt, snapshot: PolicySnapshot) -> str:
    if not attempt.candidates:
        return f"route {attempt.route}" if attempt.route else f"no route for {attempt.called}"
    trunks = ", ".join(trunk.id for trunk in attempt.candidates)
    return f"route {attempt.route}: {trunks}"


def _said(reading: Reading, snapshot: PolicySnapshot) -> str:
    text = called_number(reading) or "nothing"
    return f"{text} ({snapshot.category_of(reading.e164) if reading.state == NUMBER else reading.state})"


def _trace_rating(attempt: CallAttempt, snapshot: PolicySnapshot) -> str:
    found = attempt.rate
    if found is None:
        return "no rate" if snapshot.deck is not None and not attempt.emergency else "no price"
    price = found.price
    amount = f"{format_money(price.rate_micros)} {snapshot.deck.currency if snapshot.deck else ''} a minute"
    steps = f"{price.first_s}/{price.next_s} s"
    held_s = interval_s(price, 0, QUANTUM_S)
    hold = f"first hold {format_money(cost(price, held_s * 1_000))} for {held_s} s"
    return f"zone {found.zone}, prefix {found.prefix or 'any'}, {amount}, {steps}, {hold}"


_TRACES = {
    "identify": _trace_identity,
    "read_numbers": _trace_numbers,
    "screen": _trace_screening,
    "route": _trace_routing,
    "rate": _trace_rating,
}
