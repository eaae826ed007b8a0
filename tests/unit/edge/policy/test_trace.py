"""edge.policy.trace"""

from collections.abc import Callable

import pytest

from edge.config.basis import Basis, Origin
from edge.config.snapshot import PolicySnapshot
from edge.policy.behaviour import behave
from edge.policy.companions import COMPANIONS
from edge.policy.explain import explain, imagine
from edge.policy.marking import mark
from edge.policy.pipeline import STAGES
from edge.policy.privacy import keep_promises
from edge.policy.ranking import rank
from edge.policy.reach import reach
from edge.policy.trace import Found

SILENT = {mark, behave, keep_promises, rank, reach}
"""Stages that have nothing to do with most calls."""


@pytest.mark.parametrize(("source", "called"), [("192.0.2.1", "3000"), ("9.9.9.9", "3000"), ("192.0.2.1", "112")])
def test_a_companion_says_something(snapshot: PolicySnapshot, source: str, called: str) -> None:
    """Every stage that ran says what it looked at, whatever the attempt; those for some calls only may be silent."""
    attempt = imagine(source=source, listener="", cli="+33199001234", called=called)
    for stage in STAGES:
        refusal = stage(attempt, snapshot)
        found = COMPANIONS[stage](attempt, snapshot, refusal)
        assert isinstance(found, Found)
        assert found.text or stage in SILENT
        if refusal is not None:
            break


def test_the_rule_and_its_basis(snapshot: PolicySnapshot, snapshot_with: Callable[..., PolicySnapshot]) -> None:
    """The rule that decided is named, and what it rests on: the law's own, or what the document says of its rule."""
    of_law = explain(imagine(source="203.0.113.1", listener="", cli="0199001234", called="3000"), snapshot).steps[-1]
    assert (of_law.stage, of_law.rule, of_law.refused) == ("obey_law", "geographic.intl_unauth", "cli_refused")
    assert of_law.basis == Basis(Origin.LAW, "CPCE L44; contract article 7.1.1")
    more = '[[cli_rules]]\nid = "no"\naction = "refuse"\nbasis = "contract: article 9.2.3"\n'
    ours = explain(imagine(source="192.0.2.1", listener="", cli="1", called="3000"), snapshot_with(more)).steps[-1]
    assert (ours.rule, str(ours.basis)) == ("no", "contract: article 9.2.3")


def test_a_refusal_without_a_rule_has_a_basis(snapshot: PolicySnapshot) -> None:
    """Where no rule decided, the reason's own basis stands."""
    step = explain(imagine(source="9.9.9.9", listener="", cli="1", called="15"), snapshot).steps[-1]
    assert (step.rule, str(step.basis)) == ("", "house")


def test_shadow_is_told_of_its_stage(snapshot_with: Callable[..., PolicySnapshot]) -> None:
    """What would have been refused stands in the line of the stage that noted it."""
    more = '[[cli_rules]]\nid = "watch"\naction = "shadow-refuse"\n'
    steps = explain(imagine(source="192.0.2.1", listener="", cli="1", called="3000"), snapshot_with(more)).steps
    assert [step.shadow for step in steps] == [(), (), ("watch",), (), (), (), ()]
