"""Calls that are with another worker than their owner, on both sides of that. Pure; standard library only.

While a worker rests another one stands in for it, and takes up calls that its Call-IDs say are not its own. They stay
there when the owner is back: it has nothing of them, and would take a 200 for a stranger's, a CANCEL for one that
comes too late, and a copy of the INVITE for a new call. So the owner is told of each, and hands on what comes of it.

A call goes by as much of its Call-ID as counts for the owner (`ownership.share_in`): two calls that have that in common
are in one custody, which does no harm.
"""

from collections.abc import Iterable, Mapping

from edge.sip.timers import Durations
from edge.workers.ownership import Up

LAST_WORDS_S = 64 * Durations().t1
"""What still comes of a call after its end: copies, and the answers to them (RFC 3261 §17.1.1.2, Timer B)."""
MOST = 65_536
"""Calls in custody, each way; what comes beyond is where it was before all this: its BYE finds it by the store."""


class Custody:
    """What one worker knows of it."""

    def __init__(self) -> None:
        self._here: dict[bytes, tuple[int, float]] = {}
        """By call: whose it is, and when something of it was here last."""
        self._away: dict[bytes, int] = {}
        """Of ours: who has it."""

    def __len__(self) -> int:
        """Calls of others that are here."""
        return len(self._here)

    # -- calls of others, here -------------------------------------------------------------------------------------

    def took(self, call: bytes, owner: int, now: float) -> bool:
        """Something of this call was read here, which is that worker's. True: it is to be told."""
        is_new = call not in self._here
        if is_new and len(self._here) >= MOST:
            return False
        self._here[call] = (owner, now)
        return is_new

    def of(self, owner: int) -> list[bytes]:
        """All of that worker which are here."""
        return [call for call, (whose, _) in self._here.items() if whose == owner]

    def over(self, live: Iterable[bytes], now: float) -> Mapping[int, list[bytes]]:
        """By owner: those that are here no more, as nothing comes of them and they are not among the live ones."""
        kept = set(live)
        given_back: dict[int, list[bytes]] = {}
        for call, (owner, seen_at) in list(self._here.items()):
            if call not in kept and now - seen_at >= LAST_WORDS_S:
                del self._here[call]
                given_back.setdefault(owner, []).append(call)
        return given_back

    # -- our calls, elsewhere --------------------------------------------------------------------------------------

    def gave(self, calls: Iterable[bytes], keeper: int) -> None:
        """That worker has these of ours."""
        for call in calls:
            if len(self._away) < MOST or call in self._away:
                self._away[call] = keeper

    def got_back(self, calls: Iterable[bytes], keeper: int) -> None:
        """That worker has them no more."""
        for call in calls:
            if self._away.get(call) == keeper:
                del self._away[call]

    def lost(self, keeper: int) -> None:
        """That worker has begun anew: it says again what it has."""
        self._away = {call: who for call, who in self._away.items() if who != keeper}

    def keeper(self, call: bytes, up: Up) -> int | None:
        """Who has this call of ours; None: we have, or he who has it is not up."""
        who = self._away.get(call)
        return who if who is not None and up[who] else None
