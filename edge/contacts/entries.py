"""What an operator records of a person called: one command's words, or the lines of a CSV file. Pure.

Columns: number, what, and optionally at, until, proof. `what` is `refusal`, `consent`, `hours-consent`, `withdrawal` or
`contract`. A day without an hour is its noon in UTC, which is the same day in every territory of the plan.
"""

import csv
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from edge.config.plan import NUMBER, NumberPlan
from edge.policy.spelling import read_user
from limits.contacts import Note, note_text
from limits.frequency import Contacted

KINDS = ("refusal", "consent", "hours-consent", "withdrawal", "contract")
COLUMNS = ("number", "what", "at", "until", "proof")
MAX_ENTRIES = 1_000_000
MAX_PROOF = 500
MAX_PROBLEMS = 20
DAY_MS = 86_400_000
REFUSAL_KEPT_MS = 400 * DAY_MS
"""A refusal forbids for 60 days, and undoes what was consented before it for as long as that could count."""
CONSENT_KEPT_MS = (365 + 3 * 366) * DAY_MS
"""A consent counts for a year at most, and its proof is kept three years more (law 2025-594, decree 2026-662)."""


class Entry(NamedTuple):
    """One thing that happened with one person."""

    number: str
    """E.164."""
    what: str
    at_ms: int
    until_ms: int = 0
    """Of a contract."""
    proof: str = ""


class EntriesError(Exception):
    """The file cannot be taken. `problems`: a sentence each, with its line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def entry_of(words: Mapping[str, str], plan: NumberPlan, now_ms: int) -> Entry:
    """One entry from its words. Raises ValueError with what was expected."""
    reading = read_user(words.get("number", "").strip().encode(), plan)
    if reading.state != NUMBER:
        raise ValueError(f"number: expected one such as +33199001234, got {words.get('number', '')!r:.40}")
    what = words.get("what", "").strip().lower()
    if what not in KINDS:
        raise ValueError(f"what: expected {', '.join(KINDS)}, got {what!r:.40}")
    at_ms = instant_ms("at", words.get("at", "").strip(), now_ms)
    if at_ms > now_ms + DAY_MS:
        raise ValueError(f"at: {words.get('at')!r} is still to come")
    until_ms = 0
    if what == "contract":
        until_ms = instant_ms("until", words.get("until", "").strip(), 0)
        if until_ms <= now_ms:
            raise ValueError(f"until: expected a day to come, got {words.get('until', '')!r:.40}")
    proof = words.get("proof", "").strip()
    if len(proof) > MAX_PROOF or not proof.isprintable():
        raise ValueError(f"proof: expected at most {MAX_PROOF} printable characters")
    if what.endswith("consent") and not proof:
        raise ValueError("proof: expected where the consent can be shown: a consent without proof is none")
    return Entry(reading.e164, what, at_ms, until_ms, proof)


def instant_ms(name: str, text: str, default_ms: int) -> int:
    """UTC milliseconds of an ISO 8601 day or instant. Raises ValueError."""
    if not text:
        return default_ms
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: expected 2026-08-11 or 2026-08-11T10:00+02:00, got {text!r:.40}") from None
    if len(text) == 10:
        instant = instant.replace(tzinfo=UTC) + timedelta(hours=12)
    if instant.tzinfo is None:
        raise ValueError(f"{name}: {text!r:.40} is in which zone? Expected {text}Z or {text}+01:00")
    return int(instant.timestamp() * 1_000)


def read_csv(lines: Iterable[str], plan: NumberPlan, now_ms: int) -> list[Entry]:
    """Every line of a file. Raises EntriesError: nothing is taken of a file with a fault in it."""
    rows = csv.reader(lines)
    header = [name.strip().lower() for name in next(rows, [])]
    unknown = [name for name in header if name not in COLUMNS]
    if "number" not in header or "what" not in header or unknown or len(set(header)) != len(header):
        found = ", ".join(header) or "nothing"
        expected = "expected the columns number, what and optionally at, until, proof"
        raise EntriesError([f"line 1: {expected}; found {found}"])
    entries: list[Entry] = []
    problems: list[str] = []
    try:
        for row in rows:
            if not row:
                continue
            if len(row) != len(header):
                problems.append(f"line {rows.line_num}: expected {len(header)} columns, found {len(row)}")
            else:
                try:
                    entries.append(entry_of(dict(zip(header, row, strict=True)), plan, now_ms))
                except ValueError as error:
                    problems.append(f"line {rows.line_num}: {error}")
            if len(problems) >= MAX_PROBLEMS or len(entries) > MAX_ENTRIES:
                break
    except csv.Error as error:
        problems.append(f"line {rows.line_num}: not CSV: {error}")
    if len(entries) > MAX_ENTRIES:
        problems.append(f"expected at most {MAX_ENTRIES} lines in one file")
    if problems:
        raise EntriesError(problems)
    return entries


def note_of(entry: Entry, digest: Callable[[str], str], now_ms: int, *, by: str) -> Note:
    """What goes to the store: a digest, instants, and who recorded it with which proof."""
    kept_ms = {
        "refusal": REFUSAL_KEPT_MS,
        "contract": entry.until_ms - now_ms + REFUSAL_KEPT_MS,
    }.get(entry.what, CONSENT_KEPT_MS)
    happened = {
        "refusal": Contacted(refused_ms=entry.at_ms),
        "consent": Contacted(consent_ms=entry.at_ms),
        "hours-consent": Contacted(consent_ms=entry.at_ms, hours_ms=entry.at_ms),
        "withdrawal": Contacted(withdrawn_ms=entry.at_ms),
        "contract": Contacted(contract_ms=entry.until_ms),
    }[entry.what]
    text = note_text(what=entry.what, at_ms=entry.at_ms, by=by, proof=entry.proof, noted_ms=now_ms)
    return Note(digest(entry.number), happened, kept_ms, text)
