"""Every key the limits keep in Redis, every field in them, and the hash-tag rule. Pure.

The rule: all keys of one account carry the tag `{acct:ID}`, so they live in one slot of a Redis Cluster and one script
can take them all (R7). An ID has no braces (`limits.model.is_account_id`), so no account can name another one's keys.
Groups and trunks will be limited by the same verbs under tags of their own, `{group:ID}` and `{trunk:ID}`.

    {acct:ID}             hash    commercial values, CAPS bucket, counters: read by one HMGET
    {acct:ID}:leases      zset    uid -> instant its lease runs out (ms)
    {acct:ID}:calls       hash    uid -> "admitted_ms answered_ms node" (answered_ms 0: not yet; node may hold spaces)
    {acct:ID}:done:UID    string  tombstone: the outcome of a settled call, for TOMBSTONE_MS
    {acct:ID}:audit       stream  who changed which value, when and why
"""

from typing import NamedTuple

VALUE_FIELDS = (
    "status",
    "caps_base",
    "caps_lots",
    "caps_lot_size",
    "caps_burst",
    "calls_base",
    "call_lots",
    "call_lot_size",
)
"""Commercial values in the account hash; `caps_burst` is empty for "as deep as CAPS"."""

BOOK_FIELDS = ("generation", "digest", "tokens_micro", "refilled_ms")
"""What the scripts keep beside them: compare-and-set counter (its presence means the account exists), digest of the
values last imported, content of the CAPS bucket and the instant of that content. Counters: `limits.model.COUNTERS`."""

RESERVED_FIELDS = ("balance_micros", "floor_micros", "held_micros", "spend_hour_micros", "spend_day_micros", "group")
"""Names kept free for credit and groups, so that a store written today reads tomorrow."""

AUDIT_LENGTH = 1_000
"""Audit entries kept for each account (about)."""


class AccountKeys(NamedTuple):
    """The keys of one account, in the order every script takes them."""

    account: str
    leases: str
    calls: str
    done_prefix: str
    audit: str


def account_keys(account: str) -> AccountKeys:
    """Keys of an account; `account` must satisfy `is_account_id`."""
    tag = f"{{acct:{account}}}"
    return AccountKeys(tag, f"{tag}:leases", f"{tag}:calls", f"{tag}:done:", f"{tag}:audit")
