"""The entries of the penalty ledger: what they say, how they are written, what they add up to. Pure.

An entry is JSON text with sorted keys: its digest in the chain (`limits.chain`) is that of this text. Money is integer
micro-units. What was wrong is put right by another entry with the difference; nothing is ever edited.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from edge.quality.hours import month_of, show_hour, utc_text
from edge.quality.penalties import Finding
from edge.quality.terms import Terms

CORRECTION = "correction"
MAX_TEXT = 500
Evidence = Mapping[str, int | str | Sequence[str]]
_NONE: Evidence = MappingProxyType({})


class Entry(NamedTuple):
    """One line of an account's ledger."""

    seq: int
    account: str
    at_ms: int
    """When it was entered, by the store's clock."""
    for_s: int
    """What it is for: the hour, or the instant of the case; of a correction when it was entered. Its month is
    billed."""
    kind: str
    """A rule's name, a kind of `penalties.CASES`, or `correction`."""
    reference: str
    amount_micros: int
    """Surcharges included; below zero in a correction that gives back."""
    currency: str
    surcharge_micros: int = 0
    """Of other operators, passed on (article 27)."""
    is_candidate: bool = False
    """The edge's finding that an operator has to decide on; its amount is 0."""
    calls: int = 0
    each_micros: int = 0
    corrects: int = 0
    """Sequence number of the entry it puts right; 0: none."""
    by: str = ""
    why: str = ""
    evidence: Evidence = _NONE

    def to_text(self) -> str:
        """As the ledger keeps it."""
        return json.dumps(self.data(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    def data(self) -> dict[str, object]:
        """Every field by its name."""
        return {**self._asdict(), "evidence": dict(self.evidence)}

    @classmethod
    def from_text(cls, text: str) -> "Entry":
        """Raises ValueError where it is no entry."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise ValueError(f"not an entry of ours: {error}") from error

    def month(self, terms: Terms) -> str:
        """The month it is billed in."""
        return month_of(self.for_s, terms.zone)


def finding_reference(kind: str, hour: int) -> str:
    """The same for every node that closes this hour: so it is entered once."""
    return f"{kind}:hour:{utc_text(hour)}"


def case_reference(kind: str, reference: str) -> str:
    """An operator's own reference, within its kind."""
    return f"{kind}:case:{reference}"


def correction_reference(seq: int, number: int) -> str:
    """The first, second … correction of an entry: two operators at once make one of each."""
    return f"{CORRECTION}:{seq}:{number}"


def finding_entry(finding: Finding, account: str, hour: int, uids: Sequence[str], terms: Terms) -> Entry:
    """What the edge found in this hour; `seq` and `at_ms` are set when it is entered."""
    counts = finding.counts
    evidence: dict[str, int | str | Sequence[str]] = {
        "hour": show_hour(hour, terms.zone),
        "window": finding.window,
        "from": utc_text(finding.begin_s),
        "to": utc_text(finding.end_s),
        **{name: number for name, number in counts.named().items() if number and not name.startswith("pdd_")},
        "examples": list(uids),
        "records": f"account={account} {terms.quality.counted_at}_at>={utc_text(hour)}",
    }
    if finding.threshold:
        evidence |= {"threshold": finding.threshold, "minimum": finding.minimum}
    return Entry(
        seq=0,
        account=account,
        at_ms=0,
        for_s=hour,
        kind=finding.kind,
        reference=finding_reference(finding.kind, hour),
        amount_micros=finding.amount_micros,
        currency=terms.currency,
        is_candidate=finding.is_candidate,
        calls=finding.calls,
        each_micros=finding.each_micros,
        by="edge",
        evidence=evidence,
    )


def case_entry(
    account: str,
    kind: str,
    reference: str,
    terms: Terms,
    *,
    now_ms: int,
    at_s: int | None = None,
    amount_micros: int | None = None,
    surcharge_micros: int = 0,
    by: str,
    why: str,
) -> Entry:
    """A case that somebody else found. `at_s`: when it was; None: now. `amount_micros`: instead of the policy's. Raises
    ValueError where it is still to come."""
    if at_s is not None and at_s > now_ms // 1_000:
        raise ValueError(f"--at: {utc_text(at_s)} is to come; the store's clock says {utc_text(now_ms // 1_000)}")
    return Entry(
        seq=0,
        account=account,
        at_ms=now_ms,
        for_s=now_ms // 1_000 if at_s is None else at_s,
        kind=kind,
        reference=case_reference(kind, reference),
        amount_micros=(terms.case_micros(kind) if amount_micros is None else amount_micros) + surcharge_micros,
        currency=terms.currency,
        surcharge_micros=surcharge_micros,
        by=by,
        why=why,
    )


def net_micros(entries: Iterable[Entry], seq: int) -> int:
    """What an entry comes to with all its corrections."""
    return sum(entry.amount_micros for entry in entries if seq in (entry.seq, entry.corrects))


class Total(NamedTuple):
    """Of one kind in one month."""

    kind: str
    entries: int
    calls: int
    amount_micros: int


def totals(entries: Sequence[Entry]) -> list[Total]:
    """By kind, in the order of their first entries; a correction counts for the kind `correction`."""
    kinds = dict.fromkeys(entry.kind for entry in entries)
    found = []
    for kind in kinds:
        of = [entry for entry in entries if entry.kind == kind]
        found.append(Total(kind, len(of), sum(e.calls for e in of), sum(e.amount_micros for e in of)))
    return found


def in_month(entries: Iterable[Entry], month: str, terms: Terms) -> list[Entry]:
    """Those billed in this month; '' for all."""
    return [entry for entry in entries if not month or entry.month(terms) == month]
