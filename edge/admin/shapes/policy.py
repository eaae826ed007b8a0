"""Policy documents as the API tells and takes them. Pure."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Base64Bytes, Field, StringConstraints

from edge.admin.shapes.shape import Answer, Asked, Reason
from edge.config.parsing import MAX_DOCUMENT_CHARACTERS

FileName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Generation = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Number = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Part(Answer):
    """One file of a version."""

    name: str
    sha256: str
    size: int


class Version(Answer):
    """One version of the policy document."""

    generation: int
    at_ms: int
    by: str
    why: str
    rolled_back_to: int = Field(description="The older generation this one brings back; 0: none.")
    parts: list[Part] = Field(description="The document itself first.")


class Policy(Answer):
    """What is in force in the store."""

    generation: int = Field(description="The same as the ETag; 0: there is none.")
    version: Version | None
    source: str = Field(description="Where the edge beside this process takes its policy from: `store`, or a file.")


class Difference(Answer):
    """One thing that is not alike."""

    kind: Literal["added", "removed", "changed", "moved"]
    path: str
    before: str
    after: str


class PolicyChange(Answer):
    """What was brought in, or would be."""

    before: int = Field(description="Generation that was in force.")
    generation: int | None = Field(description="That is in force now; null: nothing was brought in.")
    is_same: bool
    dry_run: bool
    differences: list[Difference]


class Sound(Answer):
    """A document that builds."""

    accounts: int
    ingress_trunks: int
    egress_trunks: int
    route_prefixes: int
    cli_rules: int


class BundleText(Answer):
    """A version, as it was brought in."""

    generation: int
    name: str
    document: str
    files: dict[str, Base64Bytes] = Field(description="By the name that the document gives them; base64.")


class LawRule(Answer):
    """What becomes of a category of numbers in a context."""

    context: str
    action: str
    switch: str
    since: date | None
    until: date | None
    unless: str
    basis: str
    conf: str


class LawCategory(Answer):
    """A category of numbers."""

    id: str
    title: str
    prefixes: list[str]
    short: list[str]
    rules: list[LawRule]


class Law(Answer):
    """The law about caller numbers on one day."""

    ruleset: str
    version: str
    day: date
    in_force_since: date | None
    next_change: date | None
    switches: dict[str, str]
    always: list[str]
    categories: list[LawCategory]


class ReplayExample(Answer):
    """A call that would fare otherwise."""

    uid: str
    account: str
    cli: str
    called: str
    received_at: str


class ReplayCount(Answer):
    """A kind of change."""

    before: str
    after: str
    rule_before: str
    rule_after: str
    count: int
    basis: str = ""
    examples: list[ReplayExample] = Field(default_factory=list)


class ReplayPair(Answer):
    """From what to what, how often."""

    before: str
    after: str
    count: int


class Replay(Answer):
    """Attempts of the past judged under another document."""

    under: str
    records: int
    attempts: int
    first: str
    last: str
    same: int
    changes: list[ReplayCount]
    accounts: dict[str, list[ReplayCount]]
    rerouted: list[ReplayPair]
    shown: list[ReplayPair]
    shadow: dict[str, int]
    priced: int
    cost_before_micros: int
    cost_after_micros: int
    refused_by_limits: int
    counted: list[dict[str, str | int]] = Field(
        description="Attempts that are one too many, counted within these records: reason, account, count."
    )
    uncounted: int
    unjudged: dict[str, int]
    lacking: dict[str, int]
    broken_lines: int
    is_cut: bool = Field(description="There were more records than are judged at one time: the newest were not.")


class ListedNumbers(Answer):
    """Numbers that an account may present."""

    account: str
    generation: int
    declared: bool = Field(description="Is any list kept for it?")
    numbers: list[str] = Field(description="Of the document's own entry: what `PUT` replaces.")
    in_file: list[str] = Field(description="Of the file `numbers.cli_file`, the first 1,000.")
    file: str = Field(description="Its name; empty: there is none.")


class DoNotOriginate(Answer):
    """Numbers from which no call ever begins."""

    generation: int
    numbers: list[str]


class Rate(Answer):
    """What calls to a number cost."""

    number: str
    prefix: str
    zone: str
    currency: str
    connect_micros: int
    rate_micros: int = Field(description="A minute.")
    first_s: int
    next_s: int
    minimum_s: int


class Step(Answer):
    """What one stage found."""

    stage: str
    found: str
    rule: str
    basis: str
    refused: str | None
    shadow: list[str]


class Explained(Answer):
    """What becomes of an attempt, and why."""

    under: str
    record: dict[str, object] | None
    lacks: str
    steps: list[Step]
    verdict: str = Field(description="`admitted`, `refused` or `unknown`: policy and limits together, now.")
    unknown: str = Field(description="Why the limits' part is not known; empty: it is.")
    refused: str | None
    status: int | None
    phrase: str | None
    q850: int | None
    reason: str | None
    rests_on: str
    in_words: str = Field(description="For the customer.")
    limits_then: str | None
    limits_now: list[str]


# -- asked ---------------------------------------------------------------------------------------------------------


class Document(Asked):
    """A document and the files it names."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = (
        "policy.toml"
    )
    document: Annotated[str, StringConstraints(max_length=MAX_DOCUMENT_CHARACTERS)]
    files: Annotated[dict[FileName, Base64Bytes], Field(max_length=16)] = Field(default_factory=dict)


class NewDocument(Document):
    """A document to be brought into force."""

    reason: Reason = ""


class RollBack(Asked):
    """An older version, in force again as a new one."""

    generation: Generation
    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Compare(Asked):
    """Two documents: generations of the store, or one that is brought along; left out: what is in force."""

    before: Generation | None = None
    after: Generation | Document | None = None


class Judge(Asked):
    """Attempts of the past under a document."""

    under: Generation | Document | None = Field(default=None, description="Left out: what is in force.")
    since: Annotated[str, StringConstraints(max_length=40)] = Field(default="1d", examples=["2h"])


class Numbers(Asked):
    """A list of numbers, ranges (`+33..1200..+33..1299`) and prefixes (`+3319900*`)."""

    numbers: Annotated[list[Number], Field(max_length=1_000)]
    reason: Reason = ""


class Attempt(Asked):
    """An attempt that is only imagined."""

    cli: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(description="Number or URI in From.")
    called: Annotated[str, StringConstraints(min_length=1, max_length=256)] = Field(description="Number or URI called.")
    source: Annotated[str, StringConstraints(max_length=64)] = Field(default="", description="Address it comes from.")
    trunk: Annotated[str, StringConstraints(max_length=128)] = Field(default="", description="Or its ingress trunk.")
    listener: Annotated[str, StringConstraints(max_length=300)] = ""
    pai: Annotated[list[Annotated[str, StringConstraints(max_length=256)]], Field(max_length=8)] = Field(
        default_factory=list
    )
    diversion: Annotated[list[Annotated[str, StringConstraints(max_length=256)]], Field(max_length=8)] = Field(
        default_factory=list
    )
    privacy: Annotated[str, StringConstraints(max_length=64)] = ""
    headers: Annotated[list[Annotated[str, StringConstraints(max_length=512)]], Field(max_length=32)] = Field(
        default_factory=list, description="`NAME=VALUE`"
    )
    account_header: Annotated[str, StringConstraints(max_length=128)] = Field(
        default="", description="Account named in the header of a trusted trunk."
    )
    at: Annotated[str, StringConstraints(max_length=40)] = Field(default="", description="At this instant; now.")
