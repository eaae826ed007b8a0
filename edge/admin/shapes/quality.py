"""Quality, penalties, bills and idle accounts as the API tells and takes them. Pure. Instants are UTC seconds where the
name ends in `_s`; ratios are hundredths of a percent."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge.admin.shapes.shape import Answer, Asked, Micros

Kind = Literal["cli", "regulator", "ticket_33700", "complaint", "judicial", "support"]
Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


class Figures(Answer):
    """What people ask for; null: nothing to divide by."""

    asr: int | None
    ner: int | None
    acd_ms: int | None
    short_share: int | None
    pdd_mean_ms: int | None
    pdd_p50_ms: int | None
    pdd_p95_ms: int | None
    pdd_p99_ms: int | None


class Breach(Answer):
    """A rule that an hour breaks."""

    rule: str
    metric: str
    threshold: int
    minimum: int
    from_s: int
    to_s: int
    counts: dict[str, int]


class Hour(Answer):
    """One clock hour."""

    hour: str
    from_s: int
    to_s: int
    is_closed: bool
    late: int
    counts: dict[str, int]
    figures: Figures
    breaches: list[Breach]
    examples: dict[str, list[str]]


class Rolling(Answer):
    """The hour up to now."""

    from_s: int
    to_s: int
    counts: dict[str, int]
    figures: Figures


class Standing(Answer):
    """Where a rule stands that is not at rest."""

    state: str
    since_s: int
    until_s: int


class Threshold(Answer):
    """What the hours are judged by."""

    rule: str
    metric: str = Field(description="`asr`, `ner`, `acd`: above it; `short`, `pdd`: below it.")
    threshold: int = Field(description="%, s (`acd`) or ms (`pdd`).")
    minimum: int = Field(description="Samples below which nothing is judged.")


class Quality(Answer):
    """Of one account or trunk."""

    account: str
    trunk: str
    time_zone: str
    hours: list[Hour]
    rolling: Rolling
    rules: dict[str, Standing]
    thresholds: list[Threshold]


class PenaltyEntry(Answer):
    """One line of the penalty ledger."""

    seq: int
    account: str
    at_ms: int
    for_s: int
    kind: str
    reference: str
    amount_micros: int
    currency: str
    surcharge_micros: int
    is_candidate: bool
    calls: int
    each_micros: int
    corrects: int = Field(description="Number of the entry it puts right; 0: none.")
    by: str
    why: str
    evidence: dict[str, int | str | list[str]]
    month: str
    digest: str


class Entered(PenaltyEntry):
    """What became of an entry."""

    is_new: bool = Field(description="False: its reference stood there already; this is what stands there.")
    dry_run: bool


class Corrected(Answer):
    """What became of a correction."""

    entry: PenaltyEntry | None = Field(description="The counter-entry; null: none was needed, or it was tried only.")
    before_micros: int
    after_micros: int
    dry_run: bool


class PenaltyTotal(Answer):
    """Of one kind."""

    kind: str
    entries: int
    calls: int
    amount_micros: int


class PenaltyAccount(Answer):
    """Of one account."""

    account: str
    amount_micros: int
    kinds: list[PenaltyTotal]


class PenaltyExport(Answer):
    """A month, or everything."""

    month: str
    currency: str
    amount_micros: int
    accounts: list[PenaltyAccount]
    entries: list[PenaltyEntry]


class Proved(Answer):
    """Is a ledger whole?"""

    account: str
    entries: int
    last_digest: str
    fault: str = Field(description="Empty: it is whole.")


class LotSpan(Answer):
    """So many lots, from then till then."""

    from_: str = Field(alias="from")
    to: str
    lots: int


class Bill(Answer):
    """A month of an account."""

    account: str
    month: str
    currency: str
    attempts: int
    answered: int
    answered_ms: int
    billed_s: int
    consumption_micros: int
    caps_lots: int
    caps_lot_days: int
    caps_lots_micros: int
    call_lots: int
    call_lot_days: int
    call_lots_micros: int
    penalties_micros: int
    minimum_due_micros: int
    is_complete: bool
    caps_lots_in_force: list[LotSpan]
    call_lots_in_force: list[LotSpan]


class Bills(Answer):
    """A month for billing."""

    month: str
    currency: str
    bills: list[Bill]


class IdleAccount(Answer):
    """An account without a call since long."""

    account: str
    status: str
    last_call_ms: int = Field(description="0: it has never had one.")
    created_ms: int = Field(description="Of one that has never had a call; 0: not known.")
    generation: int
    balance_micros: int
    is_closable: bool
    is_closed_now: bool = False


class IdleAccounts(Answer):
    """Those without a call for so many months."""

    months: int
    dry_run: bool
    accounts: list[IdleAccount]


# -- asked ---------------------------------------------------------------------------------------------------------


class NewCase(Asked):
    """A case that somebody else found."""

    kind: Kind
    reference: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
    amount_micros: Annotated[Micros, Field(ge=0)] | None = Field(default=None, description="Instead of the policy's.")
    surcharge_micros: Annotated[Micros, Field(ge=0)] = Field(default=0, description="Of other operators, passed on.")
    at_s: Annotated[int, Field(ge=0, le=10**10, strict=True)] | None = Field(
        default=None, description="When it was; left out: now."
    )
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class Correction(Asked):
    """What an entry is to come to, with all its corrections."""

    to_micros: Annotated[Micros, Field(ge=0)]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class CloseIdle(Asked):
    """Close those without a call for so long."""

    months: Annotated[int, Field(ge=1, le=120, strict=True)] | None = Field(
        default=None, description="Left out: the policy's."
    )
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
