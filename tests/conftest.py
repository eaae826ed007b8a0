"""What holds for every stage: how its tests are found, and in which order files are handed to several processes.

Finding tests means rewriting the assertions of hundreds of files. What that makes is kept to the end, so the collector
of cyclic garbage would look through ever more of it in vain: it rests meanwhile, and afterwards looks at what is newer.

How long Hypothesis takes to draw an example, or a property to hold of it, says something of the machine and nothing of
the code: it is not judged.
"""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

TESTS = Path(__file__).resolve().parent
LONGEST = (
    "acceptance/test_namespaces.py",
    "acceptance/test_transports.py",
    "contract/test_unavailable_store.py",
    "contract/test_cluster.py",
    "contract/test_stream_sink.py",
    "contract/test_tallies.py",
    "integration/test_takeover.py",
    "integration/test_policy_store.py",
    "integration/test_one_record.py",
    "integration/test_server.py",
    "integration/test_account_commands.py",
    "integration/test_control_commands.py",
    "integration/test_workers.py",
    "integration/test_cdr_killed.py",
    "integration/test_alerts_edge.py",
    "integration/test_cdr_everywhere.py",
    "integration/test_entering.py",
    "integration/test_control.py",
    "integration/test_contact_commands.py",
    "integration/test_delivery_edge.py",
    "integration/test_cdr_edge.py",
    "integration/test_top_command.py",
    "integration/test_cdr_find.py",
    "integration/test_credit_runs_out.py",
    "integration/test_trace_command.py",
    "sequences/test_limits_two_nodes.py",
    "sequences/test_delivery.py",
)
"""Begun first: begun last, they would keep one process busy and leave the others with nothing to do."""
_RANKS = {name: rank for rank, name in enumerate(LONGEST)}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _RANKS.get(item.path.relative_to(TESTS).as_posix(), len(_RANKS)))
