"""What is counted, within the records that are judged again: attempts to one person, calls of one number or to one kind
of destination. Pure.

The window begins with the first record read: what was before it nobody knows here. Attempts count in the order of the
records and at their own instants, where they were, or now would be, sent to a trunk.
"""

from collections import Counter
from datetime import datetime

from edge.policies.rebuilt import Record, text
from edge.policy.attempt import CallAttempt
from edge.policy.verdicts import REASON_OF_NAME, TELEMARKETING, Reason
from limits.counts import FrequencyBook
from limits.frequency import COUNT, SHADOW, Counts, Frequency
from limits.model import PROFESSIONAL

MAX_KEYS = 1_000_000
"""Numbers counted apart; those that come later are not counted, and told."""


class StreamCounts:
    """Counts of one replay."""

    __slots__ = ("_books", "_keys", "beyond", "uncounted")

    def __init__(self) -> None:
        self._books: dict[str, FrequencyBook] = {}
        self._keys: set[tuple[str, str, str]] = set()
        self.beyond: Counter[tuple[str, str]] = Counter()
        """(reason, account) of attempts that are one too many within these records."""
        self.uncounted = 0
        """Attempts to numbers there was no more room for."""

    def add(self, attempt: CallAttempt, record: Record) -> None:
        """An attempt that policy lets pass now."""
        if not attempt.frequencies or attempt.account is None or not _is_sent(record):
            return
        now = int(datetime.fromisoformat(text(record, "received_at")).timestamp() * 1_000)
        uid, asked = text(record, "uid"), [one for one in attempt.frequencies if _is_countable(one)]
        books = [(one, self._book(attempt, one)) for one in asked]
        for one, book in books:
            if one.mode not in (COUNT, SHADOW) and book is not None and book.judge(one, uid, now)[0]:
                reason = REASON_OF_NAME.get(one.name, Reason.DESTINATION_CALLS)
                self.beyond[reason.value, attempt.account.id] += 1
                return  # it would reach nobody, so it does not count
        for one, book in books:
            if book is not None:
                book.count(one, uid, now)

    def _book(self, attempt: CallAttempt, one: Frequency) -> FrequencyBook | None:
        account = attempt.account
        assert account is not None
        shared = account.calling.professional if one.name == TELEMARKETING else ""
        holder = PROFESSIONAL + shared if shared else account.id
        key = holder, one.name, one.key
        if key not in self._keys:
            if len(self._keys) >= MAX_KEYS:
                self.uncounted += 1
                return None
            self._keys.add(key)
        return self._books.setdefault(holder, FrequencyBook())


def _is_countable(one: Frequency) -> bool:
    """Ping calls are marks of calls that ended, and shares of calls received are not in these records."""
    return one.counts != Counts.MARKS and not one.unless_percent


def _is_sent(record: Record) -> bool:
    """Sent to a trunk then, or refused then and so sent now; not given up before."""
    return text(record, "outcome") == "refused" or bool(text(record, "egress_trunk"))
