"""How an attempt is explained: each stage, what decided, what that rests on, a sentence for the customer. Pure."""

from typing import NamedTuple

from edge.policies.rebuilt import Record, number, text
from edge.policy.attempt import CallAttempt
from edge.policy.explain import Explanation
from edge.policy.reasons import BASIS, told
from edge.policy.verdicts import Reason

Json = dict[str, object]
_WIDTH = 14


class Told(NamedTuple):
    """Everything there is to say of one attempt."""

    attempt: CallAttempt
    found: Explanation
    under: str
    """By which document."""
    record: Record | None = None
    """Of a call that was; None: it was only imagined."""
    lack: str = ""
    """What its record cannot tell."""
    limits_now: tuple[str, ...] = ()


def explained_lines(one: Told) -> list[str]:
    """For a terminal."""
    lines = [] if one.record is None else _call_lines(one.record)
    if one.record is not None:
        lines.append(_row("judged again", f"under {one.under}" + (f"; {one.lack}" if one.lack else "")))
    for step in one.found.steps:
        basis = f"  [{step.basis}]" if step.basis is not None else ""
        lines.append(_row(step.stage, f"{step.found or 'nothing to say'}{basis}"))
        if step.shadow:
            lines.append(_row("", f"in the shadow: {', '.join(step.shadow)}"))
    if one.record is not None:
        lines.append(_row("limits then", limits_then(one.record)))
    lines += [_row("limits now" if not index else "", line) for index, line in enumerate(one.limits_now)]
    lines.append(verdict(one))
    reason = reason_of(one)
    if reason is not None:
        lines.append(_row("rests on", basis_of(one, reason)))
        lines.append(_row("in words", sentence(one, reason)))
    return lines


def verdict(one: Told) -> str:
    """What becomes of it now: policy and limits together."""
    answer = one.found.answer
    if answer is None:
        unknown = one.found.unknown
        return f"policy lets it pass; what the limits say is not known: {unknown}" if unknown else "would be admitted"
    reason = "" if one.found.refusal is None else one.found.refusal.reason
    return f"refused: {answer.status} {answer.phrase.decode()} ({reason}, Q.850 cause {answer.q850})"


def reason_of(one: Told) -> Reason | None:
    """The refusal to explain: what was said to the caller then, else what policy would say now."""
    said = "" if one.record is None or text(one.record, "outcome") != "refused" else text(one.record, "reason")
    if said in list(Reason):
        return Reason(said)
    return None if one.found.refusal is None else one.found.refusal.reason


def basis_of(one: Told, reason: Reason) -> str:
    """What the refusal rests on: the rule's own basis where a stage still says the same."""
    last = one.found.steps[-1]
    return str(last.basis if last.refused is reason and last.basis is not None else BASIS[reason])


def sentence(one: Told, reason: Reason) -> str:
    """In words that can be sent to the customer."""
    record, attempt = one.record or {}, one.attempt
    account = text(record, "account") or ("" if attempt.account is None else attempt.account.id)
    cli = text(record, "cli_presented") or attempt.cli_presented or attempt.cli_original
    ceiling: int | str = number(record, "ceiling") if text(record, "limit") else ""
    if one.record is None and one.found.ceiling is not None:
        ceiling = one.found.ceiling
    called = attempt.called or attempt.called_original
    return told(
        reason,
        account=account,
        source=attempt.source_host,
        cli=cli,
        called=called,
        ceiling=ceiling,
        days=one.found.refusal_days,
    )


def limits_then(record: Record) -> str:
    """What the limits said, by the record."""
    by, in_force = text(record, "decided_by"), ""
    if number(record, "account_generation"):
        caps, calls = number(record, "caps_in_force"), number(record, "calls_in_force")
        in_force = f"; in force: CAPS {caps}, calls {calls} (generation {number(record, 'account_generation')})"
    limit = text(record, "limit")
    if limit:
        holder = text(record, "limit_holder") or text(record, "account")
        stood = f"{number(record, 'limit_in_use')} against {number(record, 'ceiling')}"
        return f"refused by {limit} of {holder}: {stood}{in_force}"
    if by:
        degraded = ", degraded" if record.get("degraded") is True else ""
        in_use = number(record, "in_use")
        return f"admitted by {by}{degraded}: {in_use} concurrent calls with it{in_force}"
    return "not asked: " + ("an emergency call" if record.get("emergency") is True else "refused before")


def _call_lines(record: Record) -> list[str]:
    trunk = text(record, "egress_trunk")
    ended = f"{text(record, 'outcome')}, {text(record, 'reason')}, status {number(record, 'status')}"
    by = f" by {text(record, 'release_side')}" if text(record, "release_side") else ""
    where = f" over {trunk}" if trunk else ""
    return [
        _row("call", f"{text(record, 'uid')} at {text(record, 'received_at')} on node {text(record, 'node')}"),
        _row("from", f"{text(record, 'source')}, account {text(record, 'account') or 'unknown'}"),
        _row("then", f"{ended}{by}{where}; policy generation {number(record, 'policy_generation')}"),
    ]


def _row(name: str, said: str) -> str:
    return f"{name:<{_WIDTH}}{said}"


def explained_data(one: Told) -> Json:
    """For a program."""
    answer, reason = one.found.answer, reason_of(one)
    return {
        "under": one.under,
        "record": None if one.record is None else dict(one.record),
        "lacks": one.lack,
        "steps": [
            {
                "stage": step.stage,
                "found": step.found,
                "rule": step.rule,
                "basis": "" if step.basis is None else str(step.basis),
                "refused": step.refused,
                "shadow": list(step.shadow),
            }
            for step in one.found.steps
        ],
        "verdict": "refused" if answer is not None else "unknown" if one.found.unknown else "admitted",
        "unknown": one.found.unknown if answer is None else "",
        "refused": None if one.found.refusal is None else one.found.refusal.reason.value,
        "status": None if answer is None else answer.status,
        "phrase": None if answer is None else answer.phrase.decode(),
        "q850": None if answer is None else answer.q850,
        "reason": None if reason is None else reason.value,
        "rests_on": "" if reason is None else basis_of(one, reason),
        "in_words": "" if reason is None else sentence(one, reason),
        "limits_then": None if one.record is None else limits_then(one.record),
        "limits_now": list(one.limits_now),
    }
