"""Emergency calls where nothing else passes: under a burst, without credit, without a store (R16, contract 12.7, 13).

What is suspended, not owned or from abroad is in `test_callers`. Each calls 112 through the trunk that is kept for it.
"""

from collections.abc import Iterator

import pytest
from lab import Lab, laboratory

FULL, BROKE, CAREFUL = (f"127.0.0.{host}" for host in (35, 36, 37))
MORE = """
[[accounts]]
id = "full"
credit = "none"
calls_base = 1
caps_base = 1

[[accounts]]
id = "broke"
credit = "prepaid"

[[accounts]]
id = "careful"
credit = "none"
caps_base = 1000
calls_base = 1000
store_away = "refuse"

[[ingress]]
id = "full-pbx"
sources = ["127.0.0.35"]
account = "full"

[[ingress]]
id = "broke-pbx"
sources = ["127.0.0.36"]
account = "broke"

[[ingress]]
id = "careful-pbx"
sources = ["127.0.0.37"]
account = "careful"

[[routes]]
id = "emergency"
prefixes = [""]
emergency = true
trunks = ["second"]
"""
RATES = "prefix,zone,connect,rate,first,next,minimum\n33,France,0,0.06,60,60,0\n,rest,0,0.90,60,60,0\n"
EMERGENCY_CALLS = 5


class Strict(Lab):
    """A laboratory whose calls have a price, with accounts that can place none."""

    def write_policy(self) -> None:
        super().write_policy()
        (self.folder / "rates.csv").write_text(RATES)
        head = 'currency = "EUR"\nrate_deck = "rates.csv"\n'
        self.policy.write_text(head + self.policy.read_text() + MORE)


@pytest.fixture
def strict(tmp_path, monkeypatch) -> Iterator[Lab]:
    monkeypatch.setattr("lab.Lab", Strict)
    with laboratory(tmp_path, options=("--drain-s", "1")) as lab:
        yield lab
        lab.end_runs()
        lab.assert_nothing_escaped()


def call_112(lab: Lab, source: str, calls: int = 1) -> list[dict]:
    """So many emergency calls from this source, answered by the trunk that is kept for them."""
    uas = lab.uas("uas_answer__200", trunk="second", calls=calls)
    uac = lab.uac("uac_invite__200", source=source, called="112", calls=calls, rate=50)
    uac.finish()
    uas.finish()
    cdrs = lab.cdrs(uac, calls)
    for cdr in cdrs:
        told = {name: cdr[name] for name in ("outcome", "emergency", "egress_trunk", "route", "limit", "cost_micros")}
        assert told == {
            "outcome": "answered", "emergency": True, "egress_trunk": "second", "route": "emergency", "limit": "",
            "cost_micros": 0,
        }  # fmt: skip
    return cdrs


def test_under_a_burst_that_has_used_up_everything(strict: Lab):
    """Every place and every attempt per second of the account is taken, while a burst goes on: 112 answers."""
    uas = strict.uas("uas_answer__200")
    running = strict.uac("uac_invite__200", source=FULL, hold_ms=6_000)
    strict.wait_leases("full", 1)
    burst = strict.uac("uac_burst_over_ceilings__503", source=FULL, calls=200, rate=50)
    strict.edge.wait_cdrs(burst.call, 3)

    emergency = call_112(strict, FULL, EMERGENCY_CALLS)

    burst.finish()
    refused = strict.cdrs(burst, 200)
    assert {cdr["reason"] for cdr in refused} == {"caps", "calls"}
    instants = sorted(cdr["received_at"] for cdr in refused)
    assert all(instants[0] < cdr["received_at"] < instants[-1] for cdr in emergency)
    running.finish()
    uas.finish()
    strict.wait_leases("full", 0)


def test_without_credit(strict: Lab):
    """A prepaid balance of nothing (contract 12.7.2): ordinary calls are refused 402, 112 answers and is free."""
    refused = strict.uac("uac_invite_no_credit__402", source=BROKE)
    refused.finish()
    assert strict.cdr(refused)["reason"] == "credit"
    call_112(strict, BROKE)
    assert int(strict.store.client.hget("{acct:broke}", "held_micros") or 0) == 0
    strict.assert_no_lease_is_left()


def test_without_a_store(strict: Lab):
    """The store's process is gone and the account bears no risk (R11): its calls are refused 503, 112 answers."""
    strict.store.stop()
    refused = strict.uac("uac_invite_store_away__503", source=CAREFUL)
    refused.finish()
    assert strict.cdr(refused)["reason"] == "store_away"
    call_112(strict, CAREFUL, EMERGENCY_CALLS)
