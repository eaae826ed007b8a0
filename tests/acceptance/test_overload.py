"""More new calls than policy or process take: 503 with Retry-After at the door, and a record each."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab import UPSTREAM, Edge, Lab, laboratory, until

SPARING = "127.0.0.63"
"""Its trunk may place five new calls a second."""
CALLS = 60
CROWD_RATE, EMERGENCY_CALLS = 200, 10
TURN_S, TIGHTEN_S = 0.04, 1.0


class Brake:
    """Holds an edge for a growing share of its time, until told that this is enough: too slow for its calls, but not by
    far, on any machine."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.is_enough = threading.Event()
        self._over = threading.Event()

    def hold(self) -> None:
        share, tightened_at = 0.9, time.monotonic()
        while not self._over.is_set():
            if not self.is_enough.is_set() and time.monotonic() - tightened_at > TIGHTEN_S:
                share, tightened_at = share * 0.8, time.monotonic()
            self.edge.process.send_signal(signal.SIGSTOP)
            self._over.wait(TURN_S * (1 - share))
            self.edge.process.send_signal(signal.SIGCONT)
            self._over.wait(TURN_S * share)

    @classmethod
    @contextmanager
    def on(cls, edge: Edge) -> "Iterator[Brake]":
        brake = cls(edge)
        thread = threading.Thread(target=brake.hold)
        thread.start()
        try:
            yield brake
        finally:
            brake._over.set()
            thread.join()


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Lab]:
    """An edge that takes ten milliseconds of waiting for overload."""
    with laboratory(tmp_path, options=("--overload-wait-ms", "10", "--overload-floor", "5", "--drain-s", "1")) as lab:
        yield lab
        lab.end_runs()
        lab.assert_nothing_escaped()


def test_every_call_over_the_budget_has_its_503_and_its_record(lab: Lab):
    """Sixty at once: each is answered, or refused with a Retry-After of at least 1 (the scenario accepts nothing else);
    a hundred per cent of them are in the records, and emergency calls pass in the midst of it."""
    lab.uas("uas_answer_forever__200", calls=CALLS + EMERGENCY_CALLS, trace=False)
    crowd = lab.uac(
        "uac_overload__200_or_503", source=SPARING, table="accounts", calls=CALLS, rate=60, trace=False, bound_s=40
    )
    emergency = lab.uac(
        "uac_load__200", source=SPARING, table="accounts", called="112", calls=EMERGENCY_CALLS, rate=20, trace=False,
        bound_s=40,
    )  # fmt: skip
    emergency.finish()
    crowd.finish()
    ends = Counter((cdr["outcome"], cdr["reason"], cdr["status"]) for cdr in lab.cdrs(crowd, CALLS))

    assert set(ends) == {("answered", "answered", 200), ("refused", "overloaded", 503)}
    assert ends["refused", "overloaded", 503] >= CALLS // 2
    assert {cdr["outcome"] for cdr in lab.cdrs(emergency, EMERGENCY_CALLS)} == {"answered"}
    lab.assert_no_lease_is_left()


def test_emergency_calls_pass_while_the_edge_sheds_load(impatient: Lab):
    """R16, CPCE L33-1 f: a crowd that the process cannot carry has its 503, before, amid and after, and 112 answers
    every time, though its neighbour is far over its own budget."""
    lab = impatient

    def refused() -> list[str]:
        return [cdr["received_at"] for cdr in lab.edge.cdrs(crowd.call) if cdr["reason"] == "overloaded"]

    lab.uas("uas_answer_forever__200", calls=1_000_000, trace=False, bound_s=150)
    with Brake.on(lab.edge) as brake:
        crowd = lab.uac(
            "uac_overload__200_or_503", source=UPSTREAM, table="accounts", calls=1_000_000, rate=CROWD_RATE,
            trace=False, bound_s=150,
        )  # fmt: skip
        until(refused, what="the edge to shed load", bound_s=60)
        brake.is_enough.set()
        emergency = lab.uac(
            "uac_load__200", source=SPARING, table="accounts", called="112", calls=EMERGENCY_CALLS, rate=5, trace=False,
            bound_s=60,
        )  # fmt: skip
        emergency.finish()
        answered = lab.cdrs(emergency, EMERGENCY_CALLS)
        last = max(cdr["received_at"] for cdr in answered)
        until(lambda: max(refused()) > last, what="one to be refused after them", bound_s=60)
    assert {(cdr["outcome"], cdr["emergency"], cdr["status"]) for cdr in answered} == {("answered", True, 200)}
    assert min(refused()) < min(cdr["received_at"] for cdr in answered)
    crowd.stop()
