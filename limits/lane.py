"""LaneLimiter: one master of a cluster, which may hold a key no longer, or not yet. I/O (asyncio)."""

from collections.abc import Callable

from limits.asked import ELSEWHERE, Asked
from limits.connection import Find
from limits.journal import SettlementJournal
from limits.limiter import Deliver
from limits.model import Renew, Settle
from limits.redis_limiter import RedisLimiter
from limits.wire import Asking

Elsewhere = Callable[["LaneLimiter", Asked, str, str], None]
"""Takes a request that this master does not hold: (who asked it, the request, MOVED or ASK or TRYAGAIN, HOST:PORT)."""


class LaneLimiter(RedisLimiter):
    """A RedisLimiter that hands on what belongs to another master, and takes what others hand on."""

    def __init__(
        self,
        deliver: Deliver,
        *,
        deadline_s: float,
        stall_s: float,
        journal: SettlementJournal,
        on_epoch: Callable[[str], None] | None,
        on_settled: Deliver | None,
        find: Find,
        elsewhere: Elsewhere,
        epoch_key: str,
    ) -> None:
        super().__init__(
            deliver,
            "redis://localhost",  # `find` says where it is
            deadline_s=deadline_s,
            stall_s=stall_s,
            journal=journal,
            on_epoch=on_epoch,
            on_settled=on_settled,
            find=find,
            epoch_key=epoch_key,
        )
        self._elsewhere = elsewhere

    def watch_epoch(self, key: str) -> None:
        """The life of this store is told by another key from now on: the slots have moved."""
        self._life.watch(key)

    def take_over(self, asked: Asked, *, is_asking: bool) -> None:
        """A request that another master of the cluster has sent here; its deadline goes on where it was set."""
        data = self._encoder.encode(asked.verb)
        if self._pending.link is None or self._loop is None or data is None:
            self.give_up(asked, "the store is away")
            return
        if is_asking:
            self._ask_for_us(Asking())
        self._kept.taken_over(asked)
        self._pending.write(asked, data)
        self._set_timer(self._loop.time())

    def give_up(self, asked: Asked, why: str) -> None:
        """It has nowhere to go: a settlement is kept, its asker is told."""
        if isinstance(asked.verb, Settle):
            self._kept.keep(asked.verb)
        self._finish_unavailable(asked, why)

    def take_kept(self) -> list[Settle]:
        """Settlements that wait here, to be kept by another: this master is no more."""
        return self._kept.take_all()

    def keep(self, settle: Settle) -> None:
        """A settlement that waited elsewhere."""
        self._kept.keep(settle)
        if self._loop is not None:
            self._send_kept(self._loop.time())

    def _is_elsewhere(self, asked: Asked, text: str) -> bool:
        moved = ELSEWHERE.search(text)
        if moved is None:
            return False
        self._kept.ended(asked)
        if isinstance(asked.verb, Renew):
            self._next_renew()
        self._elsewhere(self, asked, moved[1], moved[2] or "")
        return True
