"""From the calls that run here to the rows an operator sees; which of them a filter means. Pure.

Apart from `rows`, so that who only reads rows does not load the core that carries calls.
"""

from edge.control.questions import CallFilter
from edge.control.rows import CallDetail, CallRow, DialogRow, Try, has_number
from edge.proxy.call import Call
from edge.proxy.dialogs import Dialog
from edge.proxy.facts import CallFacts


def row_of(call: Call, node: str, wall_offset: float) -> CallRow:
    """`wall_offset`: UTC seconds less monotonic seconds."""
    facts = call.facts
    return CallRow(
        call.uid,
        node,
        call.state.value,
        facts.account,
        facts.ingress_trunk,
        facts.egress_trunk,
        facts.cli_presented or facts.cli_original,
        facts.called or facts.called_original,
        facts.source,
        _ms(facts.received_at, wall_offset) or 0,
        _ms(facts.answered_at, wall_offset),
        facts.emergency,
        facts.degraded,
        facts.call_id,
    )


def detail_of(call: Call, node: str, wall_offset: float) -> CallDetail:
    """The same call alone."""
    facts = call.facts
    paid_until = None
    if facts.answered_at is not None and facts.paid_s:
        paid_until = _ms(facts.answered_at + facts.paid_s, wall_offset)
    return CallDetail(
        row=row_of(call, node, wall_offset),
        from_tag=facts.from_tag,
        listener=facts.listener,
        route=facts.route,
        rule=facts.rule,
        ruleset=facts.ruleset,
        group=facts.group,
        zone=facts.zone,
        rate_micros=None if facts.price is None else facts.price.rate_micros,
        currency=facts.currency,
        tags=facts.tags,
        purpose=facts.purpose,
        cli_rewritten=facts.cli_rewritten,
        called_original=facts.called_original,
        withheld=facts.withheld,
        holders=call.holders,
        decided_by=facts.decided_by,
        caps_in_force=facts.in_force.caps,
        calls_in_force=facts.in_force.calls,
        policy_generation=facts.policy_generation,
        adopted_from=facts.adopted_from,
        decided_ms=_ms(facts.decided_at, wall_offset),
        sent_ms=_ms(facts.sent_at, wall_offset),
        ringing_ms=_ms(facts.ringing_at, wall_offset),
        paid_s=facts.paid_s,
        paid_until_ms=paid_until,
        hold_micros=facts.hold_micros,
        tries=_tries(facts, wall_offset),
        dialogs=tuple([_dialog(tag, dialog, wall_offset) for tag, dialog in call.dialogs.items()]),
        hang_up_cause=call.hang_up_cause,
    )


def matches(call: Call, wanted: CallFilter) -> bool:
    """Is it one of those?"""
    facts = call.facts
    return (
        call.uid.startswith(wanted.uid)
        and (not wanted.account or facts.account == wanted.account)
        and (not wanted.state or call.state.value == wanted.state)
        and (not wanted.trunk or wanted.trunk in (facts.ingress_trunk, facts.egress_trunk))
        and (not wanted.call_id or facts.call_id == wanted.call_id)
        and (not wanted.source or wanted.source in (facts.source, facts.source.rpartition(":")[0]))
        and (not wanted.number or has_number(facts, wanted.number))
    )


def _ms(at: float | None, wall_offset: float) -> int | None:
    return None if at is None else int((at + wall_offset) * 1_000)


def _tries(facts: CallFacts, wall_offset: float) -> tuple[Try, ...]:
    # An adopted call has had tries that nobody here has the instants of.
    times = [*facts.tries, *[(None, None)] * (len(facts.candidates) - len(facts.tries))]
    return tuple(
        [
            Try(trunk, status, _ms(sent, wall_offset), _ms(ended, wall_offset))
            for (trunk, status), (sent, ended) in zip(facts.candidates, times, strict=False)
        ]
    )


def _dialog(tag: bytes, dialog: Dialog, wall_offset: float) -> DialogRow:
    return DialogRow(
        tag.decode("utf-8", "replace"),
        dialog.is_confirmed,
        dialog.acked,
        dialog.ended,
        dialog.leaving > 0,
        dialog.session_s,
        _ms(dialog.expires_at, wall_offset),
        max(dialog.missed_by_ingress, dialog.missed_by_egress),
    )
