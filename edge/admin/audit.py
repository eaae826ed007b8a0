"""The audit: who, what, before, after, why, from where. Entries as text, and back; the chain proved. I/O, by
`limits.audit`.

A change is two entries: `asked` before it, `done` after it with its outcome. So a change of which the audit knows
nothing cannot be made here, and a process that dies in between leaves an `asked` without its `done`.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import NamedTuple

from limits.audit import AuditLog
from limits.chain import LedgerLine, first_fault

Json = dict[str, object]
MAX_BODY = 4_096
"""Characters of a body that are kept; of a longer one the digest tells."""
MAX_CHANGE = 16_384
"""The same of what was before and after."""


class From(NamedTuple):
    """Who asks, and from where."""

    who: str
    role: str
    address: str
    request: str
    """Its id: the log has the same."""
    agent: str = ""


class Audit:
    """Writes entries."""

    def __init__(self, log: AuditLog, *, node: str) -> None:
        self._log = log
        self._node = node

    async def enter(self, event: str, source: From, **words: object) -> LedgerLine:
        """One entry. Raises StoreUnavailable."""

        def write(seq: int, now_ms: int) -> str:
            entry = {"seq": seq, "at_ms": now_ms, "node": self._node, "event": event, **source._asdict(), **words}
            return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

        return await self._log.append(write)


def shown_body(body: bytes, *, is_private: bool) -> Json:
    """What the audit keeps of a request's body."""
    words = why_of(body)
    if is_private or len(body) > MAX_BODY:
        return {"why": words, "body": None}
    try:
        return {"why": words, "body": json.loads(body) if body else None}
    except ValueError:
        return {"why": words, "body": None}


def why_of(body: bytes) -> str:
    """The reason given; empty: none."""
    try:
        found = json.loads(body) if 0 < len(body) <= MAX_BODY else None
    except ValueError:
        return ""
    why = found.get("reason") if isinstance(found, dict) else None
    return why[:500] if isinstance(why, str) else ""


def shown_change(change: Mapping[str, object]) -> Json:
    """Before and after, as far as they are short."""
    text = json.dumps(change, default=str)
    return dict(json.loads(text)) if len(text) <= MAX_CHANGE else {"too_long": len(text)}


def entry_of(line: LedgerLine) -> Json:
    """An entry for a reader. Raises ValueError where it is none of ours."""
    entry = json.loads(line.text)
    if not isinstance(entry, dict):
        raise ValueError(f"entry {line.seq} of the audit is none of ours")
    return {**entry, "digest": line.digest}


class Proof(NamedTuple):
    """What a look at the whole chain found."""

    entries: int
    first_seq: int
    last_seq: int
    last_digest: str
    """Keep it elsewhere: it stands for everything up to here."""
    fault: str
    """Empty: the chain is whole."""
    unfinished: tuple[int, ...]
    """Entries `asked` that have no `done`: a process died over them, or they are being done."""


async def prove(log: AuditLog) -> Proof:
    """Every entry against the one before it. Raises StoreUnavailable."""
    begin = await log.begin()
    seq, digest, entries, fault = begin.seq, begin.digest, 0, ""
    asked: dict[int, None] = {}
    async for line in log.lines():
        fault = first_fault([line], seq=seq, digest=digest)
        if fault:
            break
        seq, digest, entries = line.seq, line.digest, entries + 1
        _pair(line, asked)
    return Proof(entries, begin.seq + 1, seq, digest, fault, tuple(asked)[:100])


def prove_export(lines: Iterable[bytes]) -> Proof:
    """The same of an exported file; it may begin anywhere. Raises ValueError where a line is none of ours."""
    asked: dict[int, None] = {}
    begun, seq, digest, entries, fault = 0, 0, "", 0, ""
    for number, raw in enumerate(lines, 1):
        try:
            words = json.loads(raw)
            line = LedgerLine(int(words["seq"]), str(words["entry"]), str(words["digest"]))
            if int(json.loads(line.text)["seq"]) != line.seq:
                raise ValueError("its number is not its own")
            before = str(words.get("before", ""))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"line {number}: not an entry of an export: {error}") from error
        if not entries:
            begun, seq, digest = line.seq, line.seq - 1, before if line.seq > 1 else ""
        fault = first_fault([line], seq=seq, digest=digest)
        if fault:
            break
        seq, digest, entries = line.seq, line.digest, entries + 1
        _pair(line, asked)
    return Proof(entries, begun, seq, digest, fault, tuple(asked)[:100])


def _pair(line: LedgerLine, asked: dict[int, None]) -> None:
    entry = json.loads(line.text)
    if entry.get("event") == "asked":
        asked[line.seq] = None
    elif entry.get("event") == "done":
        asked.pop(int(entry.get("asked", 0)), None)


async def exported(log: AuditLog) -> AsyncIterator[bytes]:
    """The whole chain, a line each; the first says the digest before it."""
    before = (await log.begin()).digest
    async for line in log.lines():
        yield (
            json.dumps({"seq": line.seq, "entry": line.text, "digest": line.digest, "before": before}).encode() + b"\n"
        )
        before = line.digest
