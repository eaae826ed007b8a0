"""One call: what it is, where it stands, what it holds. Pure data; `calls` moves it."""

from enum import StrEnum
from typing import Final

from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.proxy.concealment import spells
from edge.proxy.dialogs import MAX_DIALOGS, Dialog
from edge.proxy.facts import CallFacts
from edge.proxy.hygiene import NO_WORDS, Crossing, Words
from edge.proxy.identifiers import UID_LENGTH
from edge.proxy.presentation import Naming
from edge.proxy.responses import ResponseContext
from edge.proxy.session_timers import Asked
from edge.sip.flow import Flow


class CallState(StrEnum):
    """Where a call stands."""

    ADMITTING = "admitting"
    ABANDONED = "abandoned"
    SETUP = "setup"
    CANCELLING = "cancelling"
    ANSWERED = "answered"
    ENDING = "ending"
    TEARING_DOWN = "tearing_down"
    ENDED = "ended"


_NOTHING_PAID: Final[dict[str, int]] = {}
"""Shared by all calls without a price; never written to."""


class Call:
    """One call attempt and what it becomes."""

    __slots__ = (
        "alternatives",
        "attempt",
        "call_id",
        "context",
        "crossing",
        "cseq",
        "dialogs",
        "dry",
        "facts",
        "flow",
        "from_tag",
        "hang_up_cause",
        "holders",
        "inbound",
        "invite",
        "is_adopted",
        "is_record_owed",
        "is_unlimited",
        "look",
        "loop",
        "naming",
        "opening",
        "paced_at",
        "paid",
        "session",
        "state",
        "store_away",
        "token",
        "trunk",
        "uid",
        "words",
    )

    def __init__(self, uid: str, call_id: bytes, from_tag: bytes, cseq: int, facts: CallFacts, invite: bytes) -> None:
        self.uid = uid
        self.call_id = call_id
        self.from_tag = from_tag
        self.cseq = cseq
        self.facts = facts
        self.invite = invite
        """The INVITE as it came; its head (`record.head_of`) once it is answered."""
        self.token = b""
        self.naming: Naming | None = None
        """Where the callee knows another From than the caller wrote."""
        self.crossing: Crossing | None = None
        """What becomes of headers between its two neighbours; None: nothing."""
        self.opening = b""
        """Until it is answered: the part of its record that stays as it is (`record.opening_of`), where one is kept."""
        self.words: Words = NO_WORDS
        """What headers of ours may say of it."""
        self.loop = b""
        """Loop part of our branches (RFC 5393)."""
        self.attempt: CallAttempt | None = None
        """What policy made of it, while a decision or a candidate is still open."""
        self.state = CallState.ADMITTING
        self.holders: tuple[str, ...] = ()
        """Whose leases it has, or is to have when the store is back: its account's, its group's, its trunk's."""
        self.paced_at: float | None = None
        """Since when it waits for its turn on that trunk."""
        self.trunk: EgressTrunk | None = None
        """The candidate whose ceilings are being asked."""
        self.paid: dict[str, int] = _NOTHING_PAID
        """holder -> seconds of talk held there. The least of them is what may be talked (`facts.paid_s`)."""
        self.dry = ""
        """The limit that kept the talk from being extended, at the last renewal."""
        self.flow: Flow | None = None
        """Where the caller really is, where that is not its Contact (`observed`)."""
        self.alternatives: tuple[Flow, ...] = ()
        """Other addresses of the trunk that is being tried (RFC 3263 §4.3)."""
        self.store_away = "refuse"
        """The account's choice (R11)."""
        self.is_unlimited = False
        """The store is away and the account bears the risk: not cut at the end of the paid talk."""
        self.is_adopted = False
        """Another node has taken it over: no record and no settlement from here."""
        self.is_record_owed = False
        """The store has not heard what another node would need to go on with it: with the next renewal."""
        self.session: Asked | None = None
        """The session interval that the INVITE asked for as it left (RFC 4028)."""
        self.look: object | None = None
        """The next look at it; an earlier one means nothing any more."""
        self.inbound = 0
        """Listener of the ingress side."""
        self.dialogs: dict[bytes, Dialog] = {}
        self.context: ResponseContext | None = None
        """Until it is answered or has ended."""
        self.hang_up_cause = ""
        """Why the edge wants it ended while it is being set up."""

    @property
    def has_live_dialog(self) -> bool:
        """Is a confirmed dialog not yet over?"""
        is_live = False
        for dialog in self.dialogs.values():
            is_live = is_live or (dialog.is_confirmed and not dialog.ended)
        return is_live

    @property
    def is_being_left(self) -> bool:
        """Has every confirmed dialog a BYE on its way, or behind it?"""
        for dialog in self.dialogs.values():
            if dialog.is_confirmed and not dialog.leaving and not dialog.ended:
                return False
        return True

    @property
    def is_acked(self) -> bool:
        """Has the caller acknowledged an answer?"""
        return any(dialog.acked for dialog in self.dialogs.values())

    @property
    def session_expires_at(self) -> float | None:
        """When the last of its sessions expires; None: one of them does not (RFC 4028 §8.2)."""
        at = 0.0
        for dialog in self.dialogs.values():
            if dialog.is_confirmed and not dialog.ended:
                if dialog.expires_at is None:
                    return None
                at = max(at, dialog.expires_at)
        return at or None

    def tellable(self, reason: bytes | None) -> bytes | None:
        """What the caller gives as the Reason of a CANCEL, unless it tells what the callee may not learn."""
        is_told = reason is not None and self.naming is not None and spells(reason, self.naming.hidden)
        return None if is_told else reason

    def is_own_route(self, uri: bytes) -> bool:
        """Is this Record-Route ours, from this pass of the call?"""
        return self.token[:UID_LENGTH] in uri

    def open_dialog(self, tag: bytes) -> Dialog | None:
        """The dialog with this To tag, a new one where there is none yet; None where there are too many."""
        dialog = self.dialogs.get(tag)
        if dialog is None and len(self.dialogs) < MAX_DIALOGS:
            dialog = self.dialogs[tag] = Dialog(self.cseq)
        return dialog

    def forget_an_early_dialog(self) -> None:
        """Make room for an answer: where all places are taken, the first early dialog goes."""
        if len(self.dialogs) >= MAX_DIALOGS:
            early = [tag for tag, dialog in self.dialogs.items() if not dialog.is_confirmed]
            if early:
                del self.dialogs[early[0]]
