"""What a limiter counts of itself and shows of its state: the metrics. Pure; `limits.redis_limiter` is one."""

from limits.kept import Kept
from limits.life import StoreLife
from limits.near_cache import NearCache
from limits.pending import Pending
from limits.probing import Prober
from limits.turns import RenewTurns


class Tally:
    """Plain integers, and views of the parts it is made of."""

    _kept: Kept
    _life: StoreLife
    _near: NearCache
    _pending: Pending
    _prober: Prober
    _turns: RenewTurns

    def __init__(self) -> None:
        self.asked = 0
        self.late = 0
        """Replies that came after their deadline."""
        self.unavailable = 0
        self.store_errors = 0
        """Error replies of the store."""
        self.garbage = 0
        """Connections closed for what came over them."""
        self.stalls = 0
        """Connections closed for silence."""
        self.last_fault = ""
        """Why the store was last found away, for people."""
        self.is_answering_last = False
        """See `Limiter.is_answering_last`."""

    @property
    def is_up(self) -> bool:
        """Connected, scripts loaded."""
        return self._pending.link is not None

    @property
    def given_back(self) -> int:
        """Leases returned because their asker had stopped waiting, or might have got one nobody heard of."""
        return self._kept.given_back

    @property
    def is_recounting(self) -> bool:
        """The store has lost its data: its counters are not to be trusted, and no attempt is asked for."""
        return self._life.is_recounting

    @property
    def epochs(self) -> int:
        """How often that happened."""
        return self._life.losses

    @property
    def queued_settles(self) -> int:
        """Settlements that wait for the store to come back."""
        return len(self._kept.journal)

    @property
    def settles_dropped(self) -> int:
        """Settlements there was no more room for."""
        return self._kept.journal.dropped

    @property
    def journal_errors(self) -> int:
        """The disk refused a settlement that waits: it is in memory only."""
        return self._kept.journal.errors

    @property
    def breaker_opens(self) -> int:
        """How often the store was no longer asked since it kept missing the deadline."""
        return self._prober.breaker.opens

    @property
    def is_breaker_open(self) -> bool:
        """The store is not asked at this moment."""
        return self._prober.breaker.is_open

    @property
    def near_hits(self) -> int:
        """Attempts refused for CAPS without asking the store."""
        return self._near.hits

    @property
    def renews_waiting(self) -> int:
        """Renewals that wait for their turn."""
        return len(self._turns)
