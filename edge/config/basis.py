"""Why a rule is there: law, contract, house, or the protocol itself; and where that is written. Pure.

An operator who has to answer for a refusal needs both. Imports the standard library only.
"""

from enum import StrEnum
from typing import NamedTuple


class Origin(StrEnum):
    """Who wants it so."""

    LAW = "law"
    CONTRACT = "contract"
    HOUSE = "house"
    """The operator: the policy document says so and need not say why."""
    PROTOCOL = "protocol"
    """SIP itself: an RFC."""


class Basis(NamedTuple):
    """What a rule rests on."""

    origin: Origin
    text: str = ""
    """Article, decision or RFC section; empty where there is nothing more to say."""

    def __str__(self) -> str:
        return f"{self.origin}: {self.text}" if self.text else str(self.origin)


HOUSE = Basis(Origin.HOUSE)


def parse_basis(text: str) -> Basis:
    """`law: CPCE L44`, `contract: article 25`, `house`. Raises ValueError."""
    origin, _, where = text.partition(":")
    if origin.strip() not in list(Origin):
        raise ValueError("expected law, contract, house or protocol, and after a colon where it is written")
    return Basis(Origin(origin.strip()), where.strip())
