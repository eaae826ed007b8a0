"""What is recorded of people called, as the API tells and takes it. Pure."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge.admin.shapes.shape import Answer, Asked

When = Annotated[str, StringConstraints(max_length=40)]


class NewContact(Asked):
    """One thing that happened with one person."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(description="In any spelling.")
    what: Literal["refusal", "consent", "hours-consent", "withdrawal", "contract"]
    at: When = Field(default="", description="A day or an instant; empty: now.")
    until: When = Field(default="", description="Of a contract.")
    proof: Annotated[str, StringConstraints(max_length=500)] = Field(
        default="", description="Where a consent can be shown."
    )


class NewContacts(Asked):
    """Things to be recorded; all of them, or none."""

    entries: Annotated[list[NewContact], Field(min_length=1, max_length=1_000)]


class Recorded(Answer):
    """What was recorded."""

    recorded: dict[str, int] = Field(description="By what it is.")
    dry_run: bool


class Look(Asked):
    """A person."""

    number: Annotated[str, StringConstraints(min_length=1, max_length=64)] = Field(description="In any spelling.")


class Note(Answer):
    """One thing recorded, with who did it."""

    what: str
    at_ms: int
    by: str
    proof: str
    noted_ms: int


class Person(Answer):
    """All that is recorded of one person. Instants in UTC milliseconds; 0: nothing of the kind."""

    account: str
    refused_ms: int
    consent_ms: int
    hours_ms: int
    withdrawn_ms: int
    contract_ms: int
    notes: list[Note]
    attempts_ms: list[int] = Field(description="The latest attempts that count.")
    keep_ms: int = Field(description="Forgotten so much later; 0: nothing is recorded.")
