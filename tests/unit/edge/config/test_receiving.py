"""edge.config.receiving: whose calls a call is one of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.ownership import OwnershipBuilder
from edge.config.parsing import parse_policy
from edge.config.receiving import Receivers
from edge.config.snapshot import PolicySnapshot

POLICY = """
[[accounts]]
id = "small"
kind = "automated"
calling = { small_system = true }
cli = { numbers = ["+33199001200..+33199001299", "3000"] }

[[accounts]]
id = "other"
cli = { numbers = ["+33261910000"] }

[[egress]]
id = "carrier"
uri = "sip:198.51.100.1"

[[egress]]
id = "pbx"
uri = "sip:198.51.100.2"
account = "small"

[[egress]]
id = "others"
uri = "sip:198.51.100.3"
account = "other"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["carrier", "pbx", "others"]
"""


@pytest.mark.parametrize(
    ("trunk", "called", "receiver"),
    [
        ("carrier", "+33199001200", "small"),
        ("carrier", "+33199001299", "small"),
        ("carrier", "+33199001300", ""),
        ("carrier", "+33261910000", ""),
        ("carrier", "3000", "small"),
        ("carrier", "alice", ""),
        ("pbx", "+33465710000", "small"),
        ("pbx", "alice", "small"),
        ("others", "+33199001200", ""),
    ],
)
def test_the_trunk_tells_before_the_number_1_2_3(trunk: str, called: str, receiver: str) -> None:
    """An account's own trunk, else its list; an account that claims no exception is not looked for."""
    snapshot = PolicySnapshot(parse_policy(POLICY))
    assert snapshot.receivers.receiver(snapshot.trunks[trunk], called) == receiver
    plain = PolicySnapshot(parse_policy(POLICY.replace("small_system = true", "small_system = false")))
    assert plain.receivers.receiver(plain.trunks[trunk], called) == ""


RANGES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(10, 60), st.integers(0, 20)), max_size=12)


@given(RANGES)
def test_a_number_of_two_accounts_is_nobodys(ranges: list[tuple[str, int, int]]) -> None:
    """Whatever overlaps: each number has the one account that lists it, or none."""
    builder = OwnershipBuilder()
    for account, first, more in ranges:
        builder.add(account, first, first + more)
    ownership = builder.build()
    receivers = Receivers("ab", ownership)
    for number in range(10, 82):
        owners = [account for account in "ab" if ownership.owns(account, str(number))]
        assert receivers.receiver(None, str(number)) == (owners[0] if len(owners) == 1 else "")
