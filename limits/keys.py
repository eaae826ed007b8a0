"""Every key the limits keep in Redis, every field in them, and the hash-tag rule. Pure.

The rule: all keys of one holder carry its tag, `{acct:ID}`, `{group:ID}`, `{trunk:ID}` or `{professional:ID}`, so they
live in one slot of a Redis Cluster and one script can take them all (R7). An ID has no braces
(`limits.account.is_holder_id`), so no holder can name another one's keys.

    {acct:ID}             hash    values, buckets, money, counters: read by one HMGET
    {acct:ID}:leases      zset    uid -> instant its lease runs out (ms)
    {acct:ID}:leases:P    zset    the same for the calls under the ceiling of prefix P
    {acct:ID}:leases:@M   zset    of a group: the same for the calls of member M
    {acct:ID}:calls       hash    uid -> "admitted answered renewed paid held charged price prefix member guard hands
                                  node" (answered 0: not yet; price connect:rate:first:next:minimum, -: none; hands 1:
                                  another node had it before; node may hold spaces)
    {acct:ID}:records     hash    uid -> what another node needs to go on with the call
    {acct:ID}:expired     zset    uid -> instant its lease was swept, until somebody settles it
    {acct:ID}:done:UID    string  tombstone of a settled call, "outcome charged record", for TOMBSTONE_MS; for CLAIM_MS
                                  where it changed hands
    {acct:ID}:refs        hash    reference of a top-up -> amount
    {acct:ID}:reverts     hash    value changed for a time -> "at_ms what it returns to"
    {acct:ID}:freq:N:K    zset    newest uids (or items) of what frequency N counts under key K -> instant (ms)
    {acct:ID}:share       hash    calls placed and received by day of UTC (`limits.share`)
    {acct:ID}:contact:K   hash    what is recorded of the person behind digest K (`limits.contacts`); :log list of notes
    {acct:ID}:reserved    hash    of a group: member -> calls guaranteed to it
    {acct:ID}:audit       stream  who changed which value, when and why
"""

from typing import NamedTuple

from limits.account import KINDS

VALUE_FIELDS = (
    "status",
    "caps_base",
    "caps_lots",
    "caps_lot_size",
    "caps_burst",
    "calls_base",
    "call_lots",
    "call_lot_size",
    "calls_reserved",
    "group",
    "credit",
    "floor_micros",
    "spend_cap_hour_micros",
    "spend_cap_day_micros",
    "max_rate_micros",
    "prefix_ceilings",
    "shadow",
    "is_cut",
)
"""Commercial values in the account hash; empty stands for None, a field that is not there for the default."""

BOOK_FIELDS = (
    "generation",
    "digest",
    "tokens_micro",
    "refilled_ms",
    "balance_micros",
    "held_micros",
    "hour",
    "spent_hour_micros",
    "day",
    "spent_day_micros",
    "revert_at",
    "last_call_ms",
    "is_beyond",
)
"""What the scripts keep beside them: compare-and-set counter (its presence means the account exists), digest of the
values last imported, content of the CAPS bucket and the instant of that content (`ptok:P`, `pref:P`: of the bucket of
prefix P; `ghour:G`, `gspent:G`, `gheld:G`, `gmost:G`: what calls under guard G have spent in which UTC hour, hold, and
may), balance and holds, number of the UTC hour and day with what was spent in it, next instant at which a value
returns to what it was, last attempt admitted, `1` where holds may exceed what there is until the next attempt that the
credit allows (a call ran without the store, an operator moved a value). Counters: `limits.model.COUNTERS`."""

AUDIT_LENGTH = 1_000
"""Audit entries kept for each account (about)."""

EPOCH = "trunkgate:epoch"
"""Name of this life of the store: a store that lost its data takes another one."""
NODES = "trunkgate:nodes"
"""zset: node -> instant of its last heartbeat (ms)."""
GOODBYES = "trunkgate:goodbyes"
"""zset: "uid age_ms tag" of a BYE that passed through a node which does not hold the call -> when it was said (ms)."""
HOLDERS = "trunkgate:accounts"
"""set: every holder."""
CONTACT_KEY = "trunkgate:contacts:key"
"""Fingerprint of the key that digests of called numbers are made with: all nodes of a store must have the same."""
PROFESSIONALS = "trunkgate:professionals"
"""hash: account -> the professional it calls for, of those for whom others call too."""
JOURNAL = "trunkgate:journal"
"""stream: what operators did to nodes and calls."""
CHANGES = "trunkgate:changes"
"""Channel: the holder that was changed."""


TALLY_OPEN = "trunkgate:tally:open"
"""zset: hour -> its first second (UTC), of hours that have holders to be closed."""
TALLY_MARKS = "trunkgate:tally:marks"
"""hash: node -> instant (UTC seconds) up to which its records have been added."""
TALLY_CURSORS = "trunkgate:tally:cursors"
"""hash: source -> last sequence number of which every holder has got its part."""
TALLY_LOGS = "trunkgate:tally:logs"
"""hash: node -> name of the log that it writes now: the source is `node/log`."""
TALLY_NEWS = "trunkgate:tally:news"
"""stream: JSON, holder -> records that were added just now; kept for minutes."""
TALLY_TURN = "trunkgate:tally:turn:"
"""Beginning of a string each: who has the turn at something, until it runs out."""
DOCUMENTS = "trunkgate:documents"
"""hash: name -> text that all nodes share."""
TALLY_WATCHED = "trunkgate:tally:watched"
"""set: holders with a guard that is not at rest."""


ALERT_STATES = "{alerts}:states"
"""hash: alert -> its standing, of those that are not at rest."""
ALERT_EVENTS = "{alerts}:events"
"""stream: what is told of alerts, for webhooks."""
ALERT_CURSORS = "{alerts}:cursors"
"""hash: webhook -> id of the last event it has had."""
ALERT_CLAIM = "{alerts}:claim:"
"""Beginning of a string each: the node that sends to this webhook, until it runs out."""
ALERT_NODES = "{alerts}:nodes"
"""hash: node -> `up`, or `left` where it stopped in order."""
ALERT_CREDIT = "{alerts}:credit"
"""hash: account -> credit below which it is told (micro-units)."""


class TallyKeys(NamedTuple):
    """The keys of one holder's sums (`limits.tallies`) and of its ledger (`limits.ledger`)."""

    account: str
    applied: str
    """hash: source -> last sequence number added."""
    sealed: str
    """zset: hours that take nothing more."""
    guard: str
    """hash: what is guarded -> its state."""
    ledger: str
    """stream: entries, their IDs the sequence numbers."""
    references: str
    """hash: reference -> sequence number."""
    prefix: str

    def bucket(self, name: str) -> str:
        """hash: field -> numbers."""
        return self.prefix + name


def tally_keys(holder: str) -> TallyKeys:
    """Keys of a holder; `holder` must satisfy `is_holder_id`."""
    tag = account_keys(holder).account
    return TallyKeys(
        account=tag,
        applied=f"{tag}:tally:applied",
        sealed=f"{tag}:tally:sealed",
        guard=f"{tag}:tally:guard",
        ledger=f"{tag}:ledger",
        references=f"{tag}:ledger:refs",
        prefix=f"{tag}:tally:",
    )


def tally_holders_key(hour: int) -> str:
    """set: the holders of this hour that are still to be closed."""
    return f"trunkgate:tally:hour:{hour}"


class AccountKeys(NamedTuple):
    """The keys of one holder: the first five in the order every script takes them."""

    account: str
    leases: str
    calls: str
    records: str
    expired: str
    done_prefix: str
    audit: str
    refs: str
    reverts: str
    contact_prefix: str
    frequency_prefix: str


def account_keys(holder: str) -> AccountKeys:
    """Keys of a holder; `holder` must satisfy `is_holder_id`."""
    name = holder if holder.startswith(KINDS) else f"acct:{holder}"
    tag = f"{{{name}}}"
    return AccountKeys(
        account=tag,
        leases=f"{tag}:leases",
        calls=f"{tag}:calls",
        records=f"{tag}:records",
        expired=f"{tag}:expired",
        done_prefix=f"{tag}:done:",
        audit=f"{tag}:audit",
        refs=f"{tag}:refs",
        reverts=f"{tag}:reverts",
        contact_prefix=f"{tag}:contact:",
        frequency_prefix=f"{tag}:freq:",
    )


def node_accounts_key(node: str) -> str:
    """set: the holders this node has had calls of."""
    return f"trunkgate:node:{node}:accounts"


def node_status_key(node: str) -> str:
    """string: what this node says of itself, until it runs out."""
    return f"trunkgate:node:{node}:status"


def node_box_key(node: str) -> str:
    """list: what operators ask of this node."""
    return f"trunkgate:node:{node}:box"


def records_box_key(node: str) -> str:
    """list: records that operators look for in the log of this node."""
    return f"trunkgate:node:{node}:records"


def answer_box_key(name: str) -> str:
    """list: answers to one question, or the messages of one trace."""
    return f"trunkgate:answers:{name}"
