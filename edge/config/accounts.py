"""Accounts and groups as an operator writes them: commercial values, which live in the store, and policy. Pure.

Imports pydantic and this room.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge.config.amounts import Credit, Money
from edge.config.fields import (
    MAX_LIST,
    AccountRange,
    CalledPrefix,
    CliRange,
    Count,
    E164Number,
    Identifier,
    Lot,
    Section,
)
from edge.config.refusals import Reason
from edge.config.strangers import Priority
from edge.config.telemarketing import Calling
from limits.account import MAX_PREFIX_CEILINGS

MAX_SHADOW_REFUSALS = 32
Purpose = Literal["none", "telemarketing-b2c"]
"""What calls are for."""
ShadowLimit = Literal[
    "caps", "contact", "frequency", "calls", "prefix_caps", "prefix_calls", "spend_hour", "spend_day", "guard",
    "max_rate", "credit",
]  # fmt: skip


class PrefixCeilingEntry(Section):
    """Ceilings of an account for one destination."""

    prefix: Annotated[CalledPrefix, Field(min_length=1)] = Field(
        description="Beginning of the called number, in E.164 with its plus, or as dialled.", examples=["+3389"]
    )
    calls: Count | None = Field(default=None, description="Concurrent calls; left out: no ceiling.", examples=[2])
    caps: Count | None = Field(
        default=None, description="Call attempts per second; left out: no ceiling.", examples=[1]
    )


class AccountCli(Section):
    """Which numbers an account may present, and what becomes of the others (contract article 9.1.8)."""

    numbers: tuple[CliRange, ...] = Field(
        default=(),
        max_length=MAX_LIST,
        description="Numbers it may present: `+33199001234`, `+33199001200..+33199001299`, `+3319900*`, or a short "
        "one. Those of the file `numbers.cli_file` come besides. With neither, no list is kept for the account, and "
        "the ruleset's switch `undeclared` says what of its calls.",
        examples=[["+33199001200..+33199001299", "+33199005000"]],
    )
    default: E164Number | None = Field(
        default=None, description="Number put in the place of another one.", examples=["+33199001200"]
    )
    unowned: Literal["refuse", "substitute", "mask", "tag"] = Field(
        default="refuse",
        description="A number that is not its own: `refuse` the call, `substitute` the default number, `mask` the "
        "caller, or let it pass with a `tag` in the CDR.",
        examples=["substitute"],
    )
    forwarded: Literal["refuse", "allow", "substitute"] = Field(
        default="refuse",
        description="A number that is not its own in a call it forwards: Diversion or History-Info names a number of "
        "the account. `refuse` takes no notice of that, since anybody can write such a header; `allow` lets the "
        "number pass with the tag `cli_forwarded`; `substitute` puts the default number.",
        examples=["allow"],
    )
    mismatch: Literal["owned", "same", "ignore"] = Field(
        default="owned",
        description="P-Asserted-Identity beside From: each must be `owned`, must be the `same` number as From, or is "
        "not looked at.",
        examples=["same"],
    )
    withheld: Literal["allow", "refuse"] = Field(
        default="allow", description="May its callers withhold their number?", examples=["refuse"]
    )


NO_LIST = AccountCli.unwritten()
"""Of an account of which nothing is said."""


class AccountEntry(Section):
    """A customer, or a range of alike customers."""

    id: AccountRange = Field(
        description="Name of the account, or a range of names: `acc0000..acc0999`.",
        examples=["acme", "acc0000..acc0999"],
    )
    kind: Literal["human", "automated"] = Field(
        default="human",
        description="Who places the calls. Predictive and progressive diallers and robots are `automated`.",
        examples=["automated"],
    )
    purpose: Purpose = Field(
        default="none",
        description="What its calls are for. `telemarketing-b2c`: consumers are called to sell, and the rules of days, "
        "hours, frequency, refusals and consent apply.",
        examples=["telemarketing-b2c"],
    )
    calling: Calling = Field(
        default=Calling.unwritten(), description="Whom, when, how often and where to it may call.", examples=[]
    )
    status: Literal["active", "suspended", "closed"] = Field(
        default="active", description="May it place calls at all?", examples=["suspended"]
    )
    caps_base: Count = Field(
        default=1, description="Call attempts per second without lots. 0: none passes.", examples=[1]
    )
    caps_lots: Count = Field(default=0, description="Lots of call attempts per second bought.", examples=[2])
    caps_lot_size: Lot = Field(default=10, description="Call attempts per second in a lot.", examples=[10])
    caps_burst: Lot | None = Field(
        default=None, description="Attempts that may come at once; left out: as many as CAPS.", examples=[20]
    )
    calls_base: Count = Field(default=10, description="Concurrent calls without lots.", examples=[10])
    call_lots: Count = Field(default=0, description="Lots of concurrent calls bought.", examples=[1])
    call_lot_size: Lot = Field(default=30, description="Concurrent calls in a lot.", examples=[30])
    calls_reserved: Count = Field(
        default=0, description="Concurrent calls guaranteed inside the group's ceiling.", examples=[5]
    )
    group: Identifier | None = Field(
        default=None, description="Group whose ceilings apply as well.", examples=["reseller-7"]
    )
    credit: Literal["prepaid", "postpaid", "none"] = Field(
        default="prepaid",
        description="What the balance means where calls have a price (`rate_deck`). `prepaid`: it may not go below "
        "`floor`. `postpaid`: the same, with a floor below zero. `none`: charges are counted, nothing is asked.",
        examples=["postpaid"],
    )
    floor: Money = Field(
        default=0, description="The balance may not go below it; postpaid: minus the credit line.", examples=["-500"]
    )
    opening_balance: Credit = Field(
        default=0,
        description="Credited once, when the account is first brought into a store. All else is a top-up.",
        examples=["20.00"],
    )
    spend_cap_hour: Credit | None = Field(
        default=None, description="Most that may be spent and held in one UTC hour.", examples=["50.00"]
    )
    spend_cap_day: Credit | None = Field(
        default=None, description="Most that may be spent and held in one UTC day.", examples=["300.00"]
    )
    max_rate: Credit | None = Field(default=None, description="Dearest rate per minute allowed.", examples=["0.50"])
    prefix_ceilings: tuple[PrefixCeilingEntry, ...] = Field(
        default=(),
        max_length=MAX_PREFIX_CEILINGS,
        description="Ceilings for destinations; the longest prefix of the called number applies.",
        examples=[[{"prefix": "+3389", "calls": 2, "caps": 1}]],
    )
    shadow: tuple[ShadowLimit, ...] = Field(
        default=(),
        max_length=16,
        description="Limits that are judged and counted, but let the call pass.",
        examples=[["caps"]],
    )
    cli: AccountCli = Field(
        default=NO_LIST, description="Which numbers it may present, and what becomes of the others."
    )
    shadow_refusals: tuple[Reason, ...] = Field(
        default=(),
        max_length=MAX_SHADOW_REFUSALS,
        description="Refusals of policy (CLI, times, destinations …) that are judged and counted for this account, but "
        "let the call pass; the CDR says so in `shadowed`. Beside those of the whole document.",
        examples=[["cli_refused"]],
    )
    refusal_profile: Identifier | None = Field(
        default=None,
        description="Which answers its refusals become: `carrier`, `pbx` or a profile of this document. Left out: "
        "those of the ingress trunk that brought the call.",
        examples=["pbx"],
    )
    store_away: Literal["refuse", "admit", "local"] | None = Field(
        default=None,
        description="When the store does not answer in time: `refuse` new attempts, `admit` them unlimited, or "
        "`local`: this node's share of the ceilings (ceiling by live nodes). What is admitted is marked `degraded`. "
        "Left out: `refuse` for prepaid, else `local`.",
        examples=["admit"],
    )
    priority: Priority | None = Field(
        default=None,
        description="Whose new calls are refused last while the edge is overloaded: `high`, then `normal`, then `low`. "
        "Left out: as the ingress trunk says.",
        examples=["high"],
    )
    tags: tuple[Identifier, ...] = Field(
        default=(),
        max_length=16,
        description="Words of the operator's own, in the CDR of each of its attempts.",
        examples=[["sla-gold", "fibre"]],
    )
    external_id: Annotated[str, StringConstraints(max_length=64, pattern=r"^[ -~]*$")] = Field(
        default="",
        description="Its name in the operator's own books, in the CDR of each of its attempts.",
        examples=["C-00917"],
    )


class GroupEntry(Section):
    """Ceilings that several accounts share: a reseller's, a customer's with several sites."""

    id: Identifier = Field(description="Name of the group.", examples=["reseller-7"])
    status: Literal["active", "suspended", "closed"] = Field(
        default="active", description="May its accounts place calls at all?", examples=["suspended"]
    )
    caps_base: Count = Field(default=100, description="Call attempts per second of all its accounts.", examples=[50])
    caps_burst: Lot | None = Field(
        default=None, description="Attempts that may come at once; left out: as many as CAPS.", examples=[100]
    )
    calls_base: Count = Field(default=1000, description="Concurrent calls of all its accounts.", examples=[300])
    spend_cap_hour: Credit | None = Field(
        default=None, description="Most that may be spent and held in one UTC hour.", examples=["500.00"]
    )
    spend_cap_day: Credit | None = Field(
        default=None, description="Most that may be spent and held in one UTC day.", examples=["3000.00"]
    )
    shadow: tuple[ShadowLimit, ...] = Field(
        default=(),
        max_length=16,
        description="Limits that are judged and counted, but let the call pass.",
        examples=[["calls"]],
    )
