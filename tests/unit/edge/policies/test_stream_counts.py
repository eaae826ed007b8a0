"""edge.policies.stream_counts: by a replay, as it is used"""

import pytest

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot
from edge.policies import stream_counts
from edge.policies.replay import Replay

POLICY = """
[numbers]
rules = "off"
[[accounts]]
id = "seller"
purpose = "telemarketing-b2c"
calling = { consent = "attested", hours_waiver = "attested" }
[[accounts]]
id = "site-1"
purpose = "telemarketing-b2c"
calling = { consent = "attested", hours_waiver = "attested", professional = "acme-sa" }
[[accounts]]
id = "site-2"
purpose = "telemarketing-b2c"
calling = { consent = "attested", hours_waiver = "attested", professional = "acme-sa" }
[[accounts]]
id = "robot"
kind = "automated"
calling = { number_ceiling = { calls = 1, window_s = 3600 } }
[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
trusted = true
account_header = "X-Account"
[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
[[routes]]
id = "any"
prefixes = [""]
trunks = ["a"]
"""


def record(account: str, *, day: int = 1, hour: int = 9, **columns: object) -> dict[str, object]:
    """A call that was sent on and answered, but for what is said."""
    return {
        "uid": f"{account}{day}{hour}{len(columns)}", "outcome": "answered", "reason": "answered", "account": account,
        "source": "192.0.2.1:5060", "egress_trunk": "a", "candidates": [["a", 200]], "cli_original": "+33199001234",
        "called_original": "+33261910000", "cli_presented": "+33199001234", "called": "+33261910000",
        "headers": [["X-Account", account]], "duration_ms": 60_000, "decided_by": "limits",
        "received_at": f"2026-09-{day:02}T{hour:02}:00:00.000001Z", **columns,
    }  # fmt: skip


def replayed(*records: dict[str, object]) -> Replay:
    replay = Replay(PolicySnapshot(parse_policy(POLICY)))
    for one in records:
        replay.add(one)
    return replay


def beyond(*records: dict[str, object]) -> dict[tuple[str, str], int]:
    return dict(replayed(*records).counts.beyond)


def test_the_fifth_attempt_in_thirty_days() -> None:
    """Counted within the records; beside the verdict, which is policy's."""
    found = replayed(*[record("seller", day=day) for day in range(1, 7)])
    assert found.counts.beyond == {("contact_attempts", "seller"): 2}
    assert (found.same, found.changes) == (6, {})


def test_a_place_is_free_when_the_window_has_moved_on() -> None:
    """Thirty days later the first is no more in it; what was one too many has not counted."""
    days = [1, 2, 3, 4, 5]
    later = record("seller") | {"received_at": "2026-10-02T12:00:00.000001Z", "uid": "later"}
    assert beyond(*[record("seller", day=day) for day in days], later) == {("contact_attempts", "seller"): 1}


def test_accounts_of_one_professional_count_together() -> None:
    """Three and two are five."""
    records = [record("site-1", day=day) for day in (1, 2, 3)] + [record("site-2", day=day) for day in (4, 5)]
    assert beyond(*records) == {("contact_attempts", "site-2"): 1}


def test_what_was_never_sent_is_no_attempt() -> None:
    """Given up before; but what was refused then and passes now would be sent."""
    unsent = [record("seller", day=day, egress_trunk="", outcome="abandoned") for day in range(1, 9)]
    refused = [record("seller", day=day, egress_trunk="", outcome="refused", reason="caps") for day in range(1, 9)]
    assert beyond(*unsent) == {}
    assert beyond(*refused) == {("contact_attempts", "seller"): 4}


def test_another_number_has_its_own_count() -> None:
    """And another account."""
    other = {"called": "+33261910001", "called_original": "+33261910001"}
    assert beyond(record("robot"), record("robot", hour=10, **other), record("seller")) == {}
    assert beyond(record("robot"), record("robot", uid="again")) == {("called_too_often", "robot"): 1}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers there is no room for are told as such."""
    monkeypatch.setattr(stream_counts, "MAX_KEYS", 1)
    others = [record("robot", called=f"+3326191000{n}", called_original=f"+3326191000{n}") for n in range(3)]
    assert replayed(*others).counts.uncounted == 2
