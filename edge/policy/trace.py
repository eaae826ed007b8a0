"""What a stage has to say of an attempt it has judged: the words that explain, replay and customers live on. Pure.

Nothing of this runs on the ordinary road. `explain` walks the same STAGES as a call does and asks, after each of them,
the stage's *companion* to describe what it left in the attempt. A new stage joins by a line in
`edge.policy.companions.COMPANIONS`; a test says so where it is forgotten.
"""

from collections.abc import Callable
from typing import NamedTuple

from edge.config.basis import Basis
from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import Refuse


class Found(NamedTuple):
    """What a stage looked at and made of it."""

    text: str
    """One line, without the refusal: that is added by whoever prints it."""
    rule: str = ""
    """The line of policy that decided, by its id; empty: none had to."""
    basis: Basis | None = None
    """What that rule rests on; None: see `edge.policy.reasons` for the refusal's own."""


Companion = Callable[[CallAttempt, PolicySnapshot, Refuse | None], Found]
"""Describes the attempt after its stage; the third argument is what that stage returned."""
