"""When an egress trunk gets fewer calls than the route says: too few of them are answered, or it says that it has too
many. Pure.

Imports pydantic and this room.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from edge.config.fields import Seconds, Section

Percent = Annotated[int, Field(strict=True, ge=1, le=100)]
Sample = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Rate = Annotated[float, Field(gt=0, le=100_000)]


class GuardTrunkEntry(Section):
    """The least ASR of an egress trunk."""

    asr: Percent = Field(description="Percent of its attempts that must be answered.", examples=[30])
    window_s: Annotated[float, Field(ge=10, le=86_400)] = Field(
        default=300.0, description="Seconds that are looked at, up to now.", examples=[600]
    )
    sample: Sample = Field(
        default=50, description="With fewer attempts than that in the window nothing is concluded.", examples=[100]
    )
    action: Literal["degrade", "skip"] = Field(
        default="skip",
        description="`skip`: not tried as long as another trunk of the route can be. `degrade`: after the others.",
        examples=["degrade"],
    )
    retry_s: Seconds = Field(
        default=60.0,
        description="Seconds until single calls try it again; twice as long after each trial that fails, 16 times at "
        "most.",
        examples=[120],
    )
    trial: Annotated[int, Field(strict=True, ge=1, le=1_000)] = Field(
        default=10, description="So many attempts are a trial, and must reach `asr`.", examples=[20]
    )


class ThrottleEntry(Section):
    """How attempts to an egress trunk slow down when it answers 503, and come back."""

    floor: Rate = Field(default=1.0, description="Attempts per second, in any case.", examples=[2])
    decrease: Annotated[float, Field(ge=0.1, le=0.9)] = Field(
        default=0.5, description="What is left of the rate after a 503; once a second at most.", examples=[0.7]
    )
    increase: Rate = Field(
        default=1.0, description="Attempts per second that are added each second without one.", examples=[5]
    )


@dataclass(frozen=True, slots=True)
class AsrGuard:
    """As attempts need it."""

    asr: int
    window_s: float
    sample: int
    skips: bool
    retry_s: float
    trial: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """As attempts need it."""

    floor: float
    decrease: float
    increase: float


def guard_of(entry: GuardTrunkEntry | None) -> AsrGuard | None:
    if entry is None:
        return None
    return AsrGuard(entry.asr, entry.window_s, entry.sample, entry.action == "skip", entry.retry_s, entry.trial)


def throttle_of(entry: ThrottleEntry | None) -> Throttle | None:
    return None if entry is None else Throttle(entry.floor, entry.decrease, entry.increase)
