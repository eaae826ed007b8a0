"""From a policy document to what the limits keep."""

from edge.config.holders import holders_of, professionals_of
from edge.config.parsing import parse_policy
from limits.account import MAX_CEILING, Account, AccountId, AccountStatus, Credit, PrefixCeiling

TEXT = """
[[groups]]
id = "pool"
calls_base = 300
spend_cap_day = "10"

[[accounts]]
id = "a0..a2"
group = "pool"
calls_reserved = 2
credit = "postpaid"
floor = "-1.50"
max_rate = "0.10"
prefix_ceilings = [{ prefix = "+3389", calls = 2 }]
shadow = ["caps", "calls"]

[[egress]]
id = "free"
uri = "sip:198.51.100.1"

[[egress]]
id = "narrow"
uri = "sip:198.51.100.2"
calls = 30

[[egress]]
id = "slow"
uri = "sip:198.51.100.3"
caps = 5
"""


def test_accounts_then_groups_then_trunks_with_ceilings():
    """A range is many accounts; a trunk without ceilings is no holder; what a trunk does not bound is as wide as can
    be."""
    found = list(holders_of(parse_policy(TEXT)))
    assert [holder.id for holder in found] == ["a0", "a1", "a2", "group:pool", "trunk:narrow", "trunk:slow"]
    account, group, narrow, slow = found[0], found[3], found[4], found[5]
    assert account == Account(
        AccountId("a0"),
        status=AccountStatus.ACTIVE,
        group="pool",
        calls_reserved=2,
        credit=Credit.POSTPAID,
        floor_micros=-1_500_000,
        max_rate_micros=100_000,
        prefix_ceilings=(PrefixCeiling("+3389", 2, None),),
        shadow=frozenset({"caps", "calls"}),
    )
    assert (group.credit, group.calls_base, group.spend_cap_day_micros) == (Credit.NONE, 300, 10_000_000)
    assert (narrow.calls_base, narrow.caps_base) == (30, MAX_CEILING)
    assert (slow.calls_base, slow.caps_base) == (MAX_CEILING, 5)


def test_a_professional_is_a_holder_of_counts_alone():
    """Once, however many accounts call for it; nothing of it is bounded."""
    text = """
[[accounts]]
id = "s0..s1"
calling = { professional = "acme-sa" }

[[accounts]]
id = "t"
calling = { professional = "acme-sa" }

[[accounts]]
id = "alone"
"""
    document = parse_policy(text)
    found = list(holders_of(document))
    assert [holder.id for holder in found] == ["s0", "s1", "t", "alone", "professional:acme-sa"]
    assert (found[-1].credit, found[-1].calls, found[-1].caps) == (Credit.NONE, MAX_CEILING, MAX_CEILING)
    assert professionals_of(document) == dict.fromkeys(["s0", "s1", "t"], "acme-sa")
