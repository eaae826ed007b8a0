"""What all shapes of the API share: answers forbid nothing, requests forbid what they do not know. Pure."""

from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MICROS = 10**15
"""No amount is larger."""


class Answer(BaseModel):
    """Something the API tells."""

    model_config = ConfigDict(frozen=True)


class Asked(BaseModel):
    """Something the API is told: a word it does not know is an error, since it is most often a known one mistyped."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Reason = Annotated[str, StringConstraints(max_length=500)]
Micros = Annotated[int, Field(ge=-MICROS, le=MICROS, strict=True)]
_T = TypeVar("_T")


class Page(Answer, Generic[_T]):
    """A part of a list."""

    items: list[_T]
    next: str | None = Field(default=None, description="`cursor` of the next page; null: this is the last.")
