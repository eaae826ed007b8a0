"""Facts become log lines: one structured line each, bounded in number and in length, sparing with numbers of people.

(I/O) The core does not log.
What a stranger can cause is limited to `LINES_PER_S` of each name; how many were held back is told.
"""

import logging
import time
import traceback
from collections.abc import Mapping
from typing import NamedTuple

from edge.proxy.facts import Fact
from edge.telemetry.lines import Level, Value, Write

LINES_PER_S = 10
"""Lines of one limited fact in one second."""
MAX_TEXT_CHARS = 200
"""Of any text in a line."""
MAX_FRAMES = 8
MAX_TRACE_CHARS = 2_000
"""Of the way to an exception."""


class FactRow(NamedTuple):
    """How one fact is told: docs/metrics.md has the same row."""

    name: str
    level: Level
    is_limited: bool
    """A stranger or a broken neighbour can cause it as often as he likes."""
    meaning: str


FACTS: tuple[FactRow, ...] = (
    FactRow("edge.started", "info", False, "listening, with the store and the policy it says"),
    FactRow("settings.note", "warning", False, "a setting is allowed and yet likely wrong: which, and why"),
    FactRow("edge.draining", "info", False, "no new attempts are taken; running calls go on"),
    FactRow("operator.hung_up", "warning", False, "an operator ended a call: who, and why"),
    FactRow("operator.drained", "warning", False, "an operator has this node take no new attempts: who, and why"),
    FactRow("operator.ban_lifted", "warning", False, "an operator has this node hear a banned source again: who, why"),
    FactRow("operator.undrained", "warning", False, "an operator has this node take attempts again: who, and why"),
    FactRow("operator.trace_started", "warning", False, "an operator copies SIP messages: whose, who, and why"),
    FactRow("operator.trace_stopped", "info", False, "an operator ended a SIP trace before its time"),
    FactRow("control.unreadable", "warning", True, "a question in the store that this node does not understand"),
    FactRow("edge.stopped", "info", False, "the process ends in order"),
    FactRow("worker.died", "error", False, "one of several workers has ended, and is started again: which, and why"),
    FactRow("worker.started", "info", False, "a worker that had died serves again, with its calls"),
    FactRow("policy.loaded", "info", False, "a policy is in force for new attempts"),
    FactRow("trunk.health", "warning", False, "an egress trunk went down, is on trial, or is up again, and why"),
    FactRow("trunk.registration", "warning", False, "this node is registered at an egress trunk, or not, and why"),
    FactRow("trunk.ordered", "warning", False, "an operator has drained an egress trunk, or put it to rest, or back"),
    FactRow("trunk.orders_unreadable", "error", False, "what is ordered of trunks cannot be read; what was stays"),
    FactRow("trunk.guard", "warning", False, "the ASR of an egress trunk is too low, is on trial, or is good again"),
    FactRow("trunk.throttled", "warning", True, "an egress trunk answered 503 and is sent less"),
    FactRow("trunk.unthrottled", "info", True, "an egress trunk is sent all there is again"),
    FactRow("trunk.no_password", "error", False, "the password of an egress trunk's `login` cannot be read here"),
    FactRow("trunk.login_refused", "warning", True, "an egress trunk refuses our password; the next one is tried"),
    FactRow("trunk.skipped", "info", True, "a call passed an egress trunk over, and why"),
    FactRow("caller.locked_out", "warning", True, "too many wrong passwords: not heard for a while"),
    FactRow(
        "policy.refused",
        "error",
        False,
        "a policy does not build, or the contacts key differs from the store's; the one before stays",
    ),
    FactRow("tls.loaded", "info", False, "the certificates were read anew; in force for the next connection"),
    FactRow("tls.refused", "error", False, "a certificate cannot be used; the ones before stay in force"),
    FactRow("store.up", "info", False, "the store answers"),
    FactRow("store.away", "error", False, "the store does not answer; `store_away` of each account rules"),
    FactRow("store.lost_data", "error", False, "the store has lost its data; leases of running calls are taken again"),
    FactRow("store.recounted", "info", False, "the leases are taken again; attempts are admitted again"),
    FactRow("nodes.changed", "info", False, "the nodes alive on this store"),
    FactRow("node.gone", "warning", False, "a node is gone; so many of its leases were taken over here"),
    FactRow("books.broken", "error", True, "an account's books do not add up: a fault of ours, or damage by hand"),
    FactRow("limit.near", "warning", True, "an account, group or trunk is at 80 or 95 % of a ceiling"),
    FactRow(
        "call.identity_kept", "info", True, "a caller named itself otherwise inside a dialog; what was judged stays"
    ),
    FactRow("calls.ping", "warning", True, "an account places many calls so short that nobody could have talked"),
    FactRow("quality.breach", "warning", True, "the rolling hour of an account or trunk breaks a quality rule"),
    FactRow("quality.restricted", "warning", True, "it was throttled or suspended for a time for that"),
    FactRow("quality.half_open", "info", True, "the restriction has rested; calls are judged again"),
    FactRow("quality.recovered", "info", True, "the breach is over"),
    FactRow("quality.not_restricted", "error", True, "the restriction could not be made"),
    FactRow(
        "quality.spoilt", "error", True, "counts of an account, or what `key` holds, cannot be read: damage by hand"
    ),
    FactRow("quality.died", "error", False, "the watch over quality ended by a fault of ours; it begins again"),
    FactRow("penalty.entered", "info", True, "an entry of the penalty ledger, with its digest"),
    FactRow("penalty.refused", "error", True, "an hour was entered before with another amount; that one stays"),
    FactRow(
        "account.closed_idle", "warning", True, "an account without a call for months was closed, as the policy wants"
    ),
    FactRow("cdr.failing", "error", False, "the disk refuses CDRs; they wait in memory"),
    FactRow("cdr.recovered", "info", False, "all waiting CDRs are written"),
    FactRow("cdr.lost", "error", False, "CDRs were dropped: the queue was full"),
    FactRow(
        "cdr.missing", "error", False, "a segment that was in use is gone; `edge cdr verify` tells what is missing"
    ),
    FactRow(
        "unleased.failing",
        "error",
        False,
        "an attempt without a lease cannot be written down: it has no record should the edge die now",
    ),
    FactRow("cdr.disk_low", "error", False, "little room is left where CDRs are written"),
    FactRow("cdr.replayed", "info", False, "the last settlements before a crash were sent again; each counts once"),
    FactRow("cdr.void", "warning", False, "a record is void: another node has closed that call, and its record stands"),
    FactRow("cdr.purged", "info", False, "CDR segments were purged by age; each left a tombstone"),
    FactRow("cdr.pseudonymised", "info", False, "called numbers in old CDR segments were made pseudonyms"),
    FactRow("cdr.aside_kept", "info", False, "old records or called numbers went from quarantine files of CDR sinks"),
    FactRow("cdr.purge_held", "warning", False, "old CDR segments stay: a sink has not had them yet"),
    FactRow("cdr.changed", "error", False, "closed CDR segments are not what they were; `edge cdr verify` names them"),
    FactRow(
        "cdr.keeping_failed", "error", False, "CDRs could not be purged or made pseudonyms; tried again in an hour"
    ),
    FactRow("cdr.torn", "warning", False, "a crash tore the last CDR; what was left is in the .torn file"),
    FactRow("delivery.failed", "warning", True, "a CDR sink did not take a batch; it is tried again"),
    FactRow("delivery.stuck", "error", False, "a CDR sink has failed for long; its records wait in the log"),
    FactRow("delivery.recovered", "info", False, "a CDR sink that was stuck takes records again"),
    FactRow(
        "delivery.quarantined", "error", True, "a CDR sink refuses a record for good; it is in the quarantine file"
    ),
    FactRow("delivery.gap", "error", True, "records are not in the log any more that a CDR sink has not had"),
    FactRow("delivery.rewound", "warning", False, "a CDR sink has lost records it once had; they are delivered again"),
    FactRow("delivery.asked_again", "info", False, "`edge cdr redeliver`: records are delivered again"),
    FactRow("delivery.log_restarted", "error", False, "another log than before: a CDR sink begins at its first record"),
    FactRow("delivery.checkpoint_lost", "error", False, "a checkpoint cannot be read: a CDR sink begins at the oldest"),
    FactRow(
        "delivery.starved",
        "warning",
        False,
        "the delivery process had no processor for so long: it ends, and the next one does not give way",
    ),
    FactRow("delivery.died", "error", False, "the delivery process has ended by itself; it is started again"),
    FactRow("delivery.refused", "error", False, "the delivery process cannot set up a CDR sink"),
    FactRow("delivery.stopped", "info", False, "the edge stops: sinks that have all records, and those that have not"),
    FactRow("alerts.raised", "warning", True, "an alert is told: somebody near a limit, a trunk down, a node gone"),
    FactRow("alerts.cleared", "info", True, "an alert is over"),
    FactRow("alerts.failed", "warning", True, "a webhook of alerts did not take one; it is tried again"),
    FactRow("alerts.dropped", "error", True, "a webhook of alerts has refused one for good, or has missed some"),
    FactRow("alerts.died", "error", False, "the watch over alerts ended by a fault of ours; it begins again"),
    FactRow("admin.started", "info", False, "the admin API serves, at this address"),
    FactRow("admin.stopped", "info", False, "the admin process ends in order"),
    FactRow("admin.refused", "error", False, "the admin process cannot serve; it is tried again"),
    FactRow("admin.died", "error", False, "the admin process has ended by itself; it is started again"),
    FactRow("admin.changed", "info", False, "somebody changed something by the admin API; the audit has it whole"),
    FactRow("admin.denied", "warning", True, "somebody asked for what their role or accounts do not reach"),
    FactRow("admin.wrong_token", "warning", True, "a token or session that is wrong, expired or revoked"),
    FactRow("admin.locked_out", "error", True, "too many wrong tokens from an address: not heard for a while"),
    FactRow("admin.fault", "error", True, "a request that the admin API could not digest: a fault of ours"),
    FactRow("call.lost", "error", True, "an answered emergency call is no longer followed; it is never cut"),
    FactRow("call.hung_up", "warning", True, "the edge ended a call"),
    FactRow("call.adopted", "info", True, "a call of a node that is gone goes on here"),
    FactRow("call.adopted_elsewhere", "warning", True, "this node was thought to be gone: another one has the call"),
    FactRow("call.late_answer", "warning", True, "a trunk answered a call that had gone on elsewhere; it was hung up"),
    FactRow("core.escaped", "error", True, "an input that the core could not digest: a fault of ours, with its trace"),
    FactRow("lease.reasserted", "warning", True, "the lease of a running call had run out and was taken again"),
    FactRow("lease.ended_elsewhere", "warning", True, "a running call was settled by somebody else"),
    FactRow("overload.shedding", "warning", False, "more calls come than this process can take: some are refused"),
    FactRow("overload.calm", "info", False, "that is over: every call is looked at again"),
    FactRow("source.banned", "warning", True, "a stranger is not heard for a while: over its budget, or a scanner"),
    FactRow("source.heard_again", "info", True, "the ban of a stranger is over"),
    FactRow("source.over_budget", "warning", True, "an address of a neighbour sends more than its trunk allows"),
    FactRow("lanes.unsorted", "warning", True, "the kernel does not keep strangers in a queue of their own"),
    FactRow("message.malformed", "warning", True, "a message that cannot be read; the fault is named"),
    FactRow("trunk.failed_over", "warning", True, "an egress trunk failed; the next one is tried"),
    FactRow("trunk.next_address", "warning", True, "an address of an egress trunk failed; its next one is tried"),
    FactRow("trunk.over_ceiling", "warning", True, "an egress trunk is at its ceiling; the next one is tried"),
    FactRow("trunk.unreachable", "warning", True, "no address of an egress trunk can be reached"),
    FactRow("transport.failed", "warning", True, "a message could not be sent, or its connection not be opened"),
    FactRow("log.suppressed", "warning", False, "lines of another fact were held back, so many of them"),
    FactRow("python.log", "warning", True, "a line of a library or of the event loop"),
)
_BY_NAME: Mapping[str, FactRow] = {row.name: row for row in FACTS}
NUMBERS = frozenset({"called", "called_original", "cli_network", "cli_original", "cli_presented"})
"""Fields that hold somebody's number: the CDR has it in full, the log does not."""


def mask(number: str) -> str:
    """The last four characters, the last two of a short one."""
    return "…" + number[-4:] if len(number) > 8 else "…" + number[-2:]


def presentable(name: str, value: Value) -> Value:
    """The value as a line may hold it: masked, bounded, and free of control characters."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        value = hex(value)  # JSON writers end at 64 bits
    if not isinstance(value, str):
        return value
    if name in NUMBERS and value:
        value = mask(value)
    limit = MAX_TRACE_CHARS if name == "trace" else MAX_TEXT_CHARS
    if len(value) > limit:
        value = value[:limit] + "…"
    return value if value.isprintable() else value.encode("unicode_escape").decode("ascii")


class FactLog:
    """Writes facts. Never raises: a log that cannot be written is no reason to lose a call."""

    __slots__ = ("_line", "_windows", "lost", "suppressed")

    def __init__(self, write: Write) -> None:
        self._line = write
        self._windows: dict[str, list[float]] = {}
        """By name: when its second began, lines in it, lines held back in it. As many as there are names of facts."""
        self.suppressed = 0
        self.lost = 0
        """Lines the stream would not take."""

    def tell(self, fact: Fact, now: float) -> None:
        """One line, unless its name has had its share of this second. `now`: monotonic seconds."""
        row = _BY_NAME.get(fact.name)
        if (row is None or row.is_limited) and not self._may_pass(fact.name, now):
            return
        self._write("info" if row is None else row.level, fact)

    def tell_suppressed(self, now: float) -> None:
        """Tell what was held back in seconds that are over. The owner calls it now and then, and at the end."""
        for name, window in self._windows.items():
            if window[2] and now - window[0] >= 1:
                self._tell_window(name, window)

    def _may_pass(self, name: str, now: float) -> bool:
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = [now, 0, 0]
        elif now - window[0] >= 1:
            if window[2]:
                self._tell_window(name, window)
            window[0], window[1] = now, 0
        if window[1] >= LINES_PER_S:
            window[2] += 1
            self.suppressed += 1
            return False
        window[1] += 1
        return True

    def _tell_window(self, name: str, window: list[float]) -> None:
        held_back, window[2] = int(window[2]), 0
        self._write("warning", Fact("log.suppressed", {"fact": name, "lines": held_back}))

    def _write(self, level: Level, fact: Fact) -> None:
        # A field must not hide the columns of the line itself.
        fields = {
            name + "_" if name in _TAKEN else name: presentable(name, value) for name, value in fact.fields.items()
        }
        try:
            self._line(level, fact.name, fields)
        except (OSError, ValueError, TypeError):  # the stream is closed or full, or its reader has gone
            self.lost += 1


class LibraryHandler(logging.Handler):
    """Lines of the standard library's logging (asyncio, the Redis client) join ours, under the same limit."""

    def __init__(self, log: FactLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One `python.log` line; of an exception its text and the way to it, innermost last."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # a library's own mistake in its format
            text = str(record.msg)
        fields: dict[str, str | int | float] = {
            "logger": record.name,
            "severity": record.levelname.lower(),
            "text": text,
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields["error"] = f"{type(error).__name__}: {error}"
            frames = traceback.extract_tb(error.__traceback__, limit=-MAX_FRAMES)
            fields["trace"] = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        self._log.tell(Fact("python.log", fields), time.monotonic())


_TAKEN = frozenset({"at", "event", "level"})
