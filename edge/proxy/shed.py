"""An attempt that was refused at the door: what its record needs, and what all attempts of its sender share. Pure.

An edge with more calls than it can carry writes these by the thousand: so they are small, and whatever is the same for
an account on its trunk is made once and kept as long as the policy (`Sender`).
"""

from typing import NamedTuple

from edge.config.account_policy import AccountPolicy
from edge.config.refusals import Reason, RefusalProfile
from edge.config.trunks import IngressTrunk
from edge.policy import verdicts
from edge.proxy.decisions import note_account
from edge.proxy.facts import CallFacts
from edge.proxy.overload import Priority
from edge.sip import compose


class Sender:
    """One account (or nobody known) on one ingress trunk and listener, under one policy. Compared by identity."""

    __slots__ = ("_account", "_identified_by", "_ingress", "_listener", "_profile", "_tails", "generation", "head",
                 "priority", "q850", "status")  # fmt: skip

    def __init__(
        self,
        *,
        account: AccountPolicy | None,
        ingress: IngressTrunk,
        listener: str,
        profile: RefusalProfile,
        priority: Priority,
        generation: int,
        identified_by: str,
    ) -> None:
        """`profile`: in whose words it is refused. `generation`: of the policy. `identified_by`: see `known_by`."""
        self._account = account
        self._ingress = ingress
        self._listener = listener
        self._identified_by = identified_by
        self._profile = profile
        self._tails: dict[tuple[tuple[bytes, bytes], ...], bytes] = {}
        self.priority = priority
        self.generation = generation
        answer = verdicts.answer(Reason.OVERLOADED, profile)
        self.status, self.q850 = answer.status, answer.q850
        self.head = compose.status_line(answer.status, answer.phrase)

    @property
    def account(self) -> str:
        """Its ID; empty: nobody known."""
        return "" if self._account is None else self._account.id

    def tail(self, jitter: float) -> bytes:
        """How the refusal ends: Reason, Retry-After, no body. `jitter` as for `verdicts.answer`."""
        headers = verdicts.answer(Reason.OVERLOADED, self._profile, jitter=jitter).headers
        tail = self._tails.get(headers)
        if tail is None:  # as many as there are seconds of Retry-After
            tail = self._tails[headers] = compose.tail(headers)
        return tail

    def note(self, facts: CallFacts) -> None:
        """What every record of it has."""
        if self._account is not None:
            note_account(facts, self._account)
        facts.ingress_trunk, facts.ingress_class = self._ingress.id, self._ingress.ingress_class
        facts.listener, facts.identified_by = self._listener, self._identified_by
        facts.policy_generation = self.generation
        facts.end(self.status, Reason.OVERLOADED.value, self.q850, "edge")


class Shed(NamedTuple):
    """One attempt. Every text as it came, or as policy reads it."""

    uid: str
    at: float
    """It came, was judged and was refused: one instant, monotonic seconds."""
    sender: Sender
    source: str
    call_id: str
    from_tag: str
    cli_original: str
    cli_presented: str
    withheld: bool
    called_original: str
    called: str

    def facts(self) -> CallFacts:
        """As of any other attempt."""
        facts = CallFacts(self.uid, self.at)
        self.sender.note(facts)
        facts.decided_at = facts.released_at = self.at
        facts.source, facts.call_id, facts.from_tag = self.source, self.call_id, self.from_tag
        facts.cli_original, facts.cli_presented, facts.withheld = self.cli_original, self.cli_presented, self.withheld
        facts.called_original, facts.called = self.called_original, self.called
        return facts
