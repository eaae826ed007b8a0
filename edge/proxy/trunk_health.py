"""Which egress trunks work: what their answers and silences say, as a table of states. Pure.

A trunk that fails too often in a row is passed over for a while, then tried by single calls, ever faster, until it has
proved itself. 503 with Retry-After makes a pause of its own (RFC 3261 §21.5.4). Where every trunk of a route is passed
over they are tried all the same: a wrong judgement must not stop calls that might pass.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from edge.config.trunks import EgressTrunk
from edge.proxy.actions import Outbox
from edge.proxy.facts import Fact
from edge.sip.message import Response


class Health(StrEnum):
    """Where a trunk stands."""

    UP = "up"
    DEGRADED = "degraded"
    """It has failed lately, and is used as before."""
    DOWN = "down"
    """Passed over until its time has come, or a probe was answered."""
    TRIAL = "trial"
    """Single calls try it."""


class HealthInput(StrEnum):
    """What may happen to it."""

    TOOK = "took"
    """It gave any answer of its own but 503."""
    PROVED = "proved"
    """The same, and that was often enough in a row."""
    FAILED = "failed"
    """Silence, no connection, no address, or 503."""
    FAILED_OFTEN = "failed_often"
    """The same, and that was often enough in a row."""
    DUE = "due"
    """Its time has come."""


S, I = Health, HealthInput  # noqa: E741 - two letters keep the table readable as a table

HEALTH_TABLE: Final[Mapping[Health, Mapping[HealthInput, Health]]] = {
    S.UP: {I.FAILED: S.DEGRADED, I.FAILED_OFTEN: S.DOWN},
    S.DEGRADED: {I.TOOK: S.UP, I.PROVED: S.UP, I.FAILED_OFTEN: S.DOWN},
    S.DOWN: {I.TOOK: S.TRIAL, I.PROVED: S.TRIAL, I.DUE: S.TRIAL},
    S.TRIAL: {I.PROVED: S.UP, I.FAILED: S.DOWN, I.FAILED_OFTEN: S.DOWN},
}
"""What is not in a row changes nothing."""

WhyNot = Callable[[EgressTrunk, float], str]
"""Why this trunk is not to be tried now; empty: nothing is known against it."""
SCALE: Final = {S.DOWN: 0, S.TRIAL: 1, S.DEGRADED: 2, S.UP: 3}
"""As the metric tells it."""
_BUSY: Final = 503
MAX_RETRY_FACTOR: Final = 16
"""A trunk that fails its trials again and again waits so many times `retry_s` at most."""
MAX_PAUSE_S: Final = 120
"""However long a Retry-After asks us to stay away."""
TRIAL_GAP_S: Final = 1.0
"""Between the first two trials; a half, a third … of it between the next ones."""


class _Standing:
    """One trunk."""

    __slots__ = ("failures", "health", "next_trial_at", "paused_until", "retry_at", "retry_factor", "successes")

    def __init__(self) -> None:
        self.health = Health.UP
        self.failures = 0
        self.successes = 0
        self.retry_factor = 1
        self.retry_at = 0.0
        self.next_trial_at = 0.0
        self.paused_until = 0.0


class TrunkHealth:
    """Of every trunk, as this node sees it."""

    __slots__ = ("_outbox", "_standings")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._standings: dict[str, _Standing] = {}

    def adopt(self, trunks: Mapping[str, EgressTrunk]) -> None:
        """The trunks of a new policy: those it keeps stand where they stood."""
        self._standings = {name: self._standings.get(name) or _Standing() for name in trunks}

    def states(self) -> dict[str, int]:
        """Each trunk on `SCALE`."""
        return {name: SCALE[standing.health] for name, standing in self._standings.items()}

    def health(self, trunk: EgressTrunk) -> Health:
        """Where it stands."""
        return self._of(trunk).health

    def choose(self, trunks: Sequence[EgressTrunk], now: float, also: WhyNot | None = None) -> list[EgressTrunk]:
        """Those to try now, in the same order; all of them where each would be passed over. A trial is taken. `also`:
        what else may speak against a trunk."""
        is_open = [not (self.passed_over(trunk, now) or (also is not None and also(trunk, now))) for trunk in trunks]
        if not any(is_open):
            return list(trunks)
        for trunk, chosen in zip(trunks, is_open, strict=True):
            if chosen:
                standing = self._of(trunk)
                if standing.health is Health.TRIAL:
                    standing.next_trial_at = now + TRIAL_GAP_S / (1 + standing.successes)
                break  # the others are reached only if this one fails
        return [trunk for trunk, chosen in zip(trunks, is_open, strict=True) if chosen]

    def took(self, trunk: EgressTrunk, now: float) -> None:
        """It has answered, a call or a probe."""
        standing = self._of(trunk)
        standing.failures = 0
        standing.successes += 1
        if standing.health is Health.UP:
            return
        proved = standing.successes >= trunk.up_after
        self._move(trunk, standing, I.PROVED if proved else I.TOOK, "answered", now)

    def failed(self, trunk: EgressTrunk, why: str, now: float, *, retry_after_s: int = 0) -> None:
        """Silence, no way to it, or 503. `retry_after_s`: how long it wants to be left alone."""
        standing = self._of(trunk)
        standing.successes = 0
        standing.failures += 1
        if retry_after_s > 0:
            standing.paused_until = max(standing.paused_until, now + min(retry_after_s, MAX_PAUSE_S))
        often = standing.failures >= trunk.down_after
        self._move(trunk, standing, I.FAILED_OFTEN if often else I.FAILED, why, now)

    def passed_over(self, trunk: EgressTrunk, now: float) -> str:
        """Why this trunk is not to be tried now; empty: it may be."""
        if trunk.maintenance:
            return "maintenance"
        standing = self._of(trunk)
        if now < standing.paused_until:
            return "paused"
        if standing.health is Health.DOWN and now >= standing.retry_at:
            self._move(trunk, standing, I.DUE, "waited", now)
        if standing.health is Health.DOWN:
            return "down"
        return "trial" if standing.health is Health.TRIAL and now < standing.next_trial_at else ""

    def _of(self, trunk: EgressTrunk) -> _Standing:
        found = self._standings.get(trunk.id)
        if found is None:  # of a policy that is no more, pinned by a call
            found = self._standings[trunk.id] = _Standing()
        return found

    def _move(self, trunk: EgressTrunk, standing: _Standing, what: HealthInput, why: str, now: float) -> None:
        before = standing.health
        after = HEALTH_TABLE[before].get(what)
        if after is None or after is before:
            return
        standing.health = after
        if after is Health.DOWN:
            if before is Health.TRIAL:
                standing.retry_factor = min(standing.retry_factor * 2, MAX_RETRY_FACTOR)
            standing.retry_at = now + trunk.retry_s * standing.retry_factor
        elif after is Health.TRIAL:
            standing.successes = 0
            standing.next_trial_at = now
        elif after is Health.UP:
            standing.retry_factor = 1
        if {before, after} != {Health.UP, Health.DEGRADED}:
            words: dict[str, str | int | float] = {
                "trunk": trunk.id, "from": before.value, "to": after.value, "why": why,
            }  # fmt: skip
            self._outbox.facts.append(Fact("trunk.health", words))


def retry_after_of(response: Response) -> int:
    """Seconds a response asks to be left alone (RFC 3261 §20.33); 0 where it does not say, or not legibly."""
    if response.status != _BUSY:
        return 0
    digits = (response.value(b"retry-after") or b"").strip().partition(b";")[0].partition(b"(")[0].strip()
    return int(digits) if digits.isdigit() and len(digits) <= 6 else 0
