"""Calls of these tests run through the whole core: `network` is a neighbour's (importlib mode needs telling)."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "proxy"))

from network import Wire

from edge.telemetry.totals import CallTotals


@pytest.fixture
def wire() -> Wire:
    """A core with account `acme` (3 calls), trunks a then b."""
    return Wire()


@pytest.fixture
def sources(wire: Wire) -> SimpleNamespace:
    """Where the numbers of its node are; what the core does not know is at rest."""
    return SimpleNamespace(
        node="edge1",
        counters=wire.core.counters,
        totals=CallTotals(),
        limiter=SimpleNamespace(is_up=True, queued_settles=0),
        cdr=SimpleNamespace(backlog=0, is_failing=False),
        delivery=SimpleNamespace(is_up=True),
        transactions=lambda: wire.core.transactions,
        timers=lambda: wire.core.timers,
        trunk_states=lambda: wire.core.trunk_states,
        policy_generation=lambda: 7,
        policy_is_stale=lambda: False,
    )
