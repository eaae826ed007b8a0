"""What the edge remembers of the dialogs of a call, so that it can end them. Pure; RFC 3261 §12, RFC 4028.

It does not route by it: routes do that.
"""

from typing import Final, Protocol


class AckWaiter(Protocol):
    """Something that must not be sent before the ACK."""

    def send_waiting(self, now: float) -> None:
        """The ACK has come."""


class Dialog:
    """One dialog of a call (a new To tag is a new dialog, RFC 3261 §12)."""

    __slots__ = (
        "acked",
        "answer",
        "confirmed_at",
        "cseq_egress",
        "cseq_gap",
        "cseq_ingress",
        "cseq_shift",
        "ended",
        "expires_at",
        "invite_shift",
        "is_confirmed",
        "leaving",
        "missed_by_egress",
        "missed_by_ingress",
        "on_ack",
        "outbound",
        "probed_at",
        "proof",
        "session_s",
        "target_egress",
        "target_ingress",
    )

    def __init__(self, cseq_ingress: int) -> None:
        self.is_confirmed = False
        self.confirmed_at = 0.0
        self.acked = False
        self.on_ack: AckWaiter | None = None
        """Who waits for the ACK before it may send (§15)."""
        self.leaving = 0
        """BYEs on their way: of either side, and again after a challenge."""
        self.ended = False
        self.cseq_ingress = cseq_ingress
        """Highest CSeq number seen from the caller."""
        self.cseq_egress = 0
        """Highest CSeq number seen from the callee; 0: none yet."""
        self.cseq_gap = 0
        """So far above what was really seen those numbers are set, in a dialog taken over from another node."""
        self.cseq_shift = 0
        """So far above the caller's numbers are those that the callee knows (`proving`)."""
        self.invite_shift = 0
        """The same for the latest INVITE: its ACK, and what acknowledges its provisional responses, name its number."""
        self.proof: tuple[bytes, bytes] | None = None
        """Header field with which the INVITE proved who we are: its ACK carries it too (RFC 3261 §22.1)."""
        self.session_s = 0
        """The session interval (RFC 4028); 0: the session does not expire."""
        self.expires_at: float | None = None
        self.probed_at = 0.0
        """When both sides were last asked whether they know this dialog."""
        self.missed_by_ingress = self.missed_by_egress = 0
        """Probes in a row that this side has not answered."""
        self.answer = b""
        """The head (`record.head_of`) of the 2xx as it came: what teardown needs to speak in one side's name."""
        self.outbound = 0
        """Listener of the egress side."""
        self.target_ingress: bytes | None = None
        """Contact of the caller after a target refresh (§12.2.1.2); None: as in the INVITE."""
        self.target_egress: bytes | None = None

    def confirm(self, answer: bytes, outbound: int, now: float) -> None:
        """The 2xx has come: its Contact is the target from here on (§13.2.2.4)."""
        self.is_confirmed = True
        self.confirmed_at = now
        self.answer = answer
        self.outbound = outbound
        self.target_egress = None
        self.probed_at = now

    def acknowledged(self, now: float) -> None:
        """The caller's ACK passes."""
        if self.is_confirmed and not self.acked:
            self.acked = True
            if self.on_ack is not None:
                self.on_ack.send_waiting(now)

    def proved(self, proof: tuple[bytes, bytes] | None) -> None:
        """The INVITE that began it carried this proof, and so the next CSeq number; or none."""
        if self.proof is None and proof is not None:
            self.cseq_shift = self.invite_shift = 1
            self.proof = proof

    def refreshed(self, session_s: int, now: float) -> None:
        """A 2xx to a session refresh request goes up: its interval counts from here (RFC 4028 §8.2)."""
        self.session_s = session_s
        self.expires_at = now + session_s if session_s else None


MAX_DIALOGS: Final = 32
"""Dialogs kept for one call: a callee that forks further is not ours to follow."""
