"""Records that a consumer refuses for good: put aside with the reason, never dropped, never in the way (I/O).

`STATE/delivery/NAME/quarantine-YYYYMMDD.jsonl` (UTC day of the refusal): one JSON object a line with `at`, `seq`,
`uid`, `reason` and the `record` as it stands in the log. A crash may leave the same record twice. It is kept no longer
than the log itself (contract article 6.7): `keep`.
"""

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path

import orjson

from edge.cdr.delivery.checkpoint import replace_file
from edge.cdr.pseudonym import pseudonymised
from edge.cdr.retention import Rule
from edge.cdr.segments import sync_directory

MAX_REASON_CHARS = 500
_NAME = re.compile(r"quarantine-([0-9]{8})\.jsonl")
_AT_REST_DAYS = 2
"""A file of this UTC day or of the one before may still be written to."""


def put_aside(home: Path, *, seq: int, uid: str, reason: str, line: bytes, wall: float) -> None:
    """One record, on the disk when this returns. `wall`: UTC seconds. Raises OSError."""
    now = datetime.fromtimestamp(wall, UTC)
    path = home / f"quarantine-{now:%Y%m%d}.jsonl"
    record = line.rstrip(b"\n").decode("utf-8", "replace")
    kept = {
        "at": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seq": seq,
        "uid": uid,
        "reason": reason.encode("utf-8", "replace").decode()[:MAX_REASON_CHARS],
        "record": record,
    }
    is_new = not path.exists()
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(fd).st_size
        # A crash may have torn the last line: then ours must not be glued to it.
        seam = b"\n" if size and os.pread(fd, 1, size - 1) != b"\n" else b""
        data = seam + orjson.dumps(kept) + b"\n"
        while data:
            data = data[os.write(fd, data) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    if is_new:
        sync_directory(home)


def keep(home: Path, rule: Rule, *, day: date, key: bytes, dry_run: bool = False) -> list[str]:
    """Apply the rule of the log to what was put aside: names of the files that change. A record is as old as its call,
    what cannot be read as old as its file. Raises OSError."""
    changed = []
    for path in sorted(home.glob("quarantine-*.jsonl")):
        written = _NAME.fullmatch(path.name)
        if written is None or (day - (made := _day(written[1]) or day)).days < _AT_REST_DAYS:
            continue
        lines = path.read_bytes().splitlines(keepends=True)
        left = [line for line in (_kept(line, rule, day, made, key) for line in lines) if line]
        if left == lines:
            continue
        changed.append(f"{home.name}/{path.name}")
        if dry_run:
            continue
        if left:
            replace_file(path, b"".join(left))
        else:
            path.unlink()
            sync_directory(home)
    return changed


def _kept(line: bytes, rule: Rule, day: date, made: date, key: bytes) -> bytes:
    """The line as it may stay; empty: not at all."""
    try:
        aside = orjson.loads(line)
        record = aside["record"].encode("utf-8", "replace") + b"\n"
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        aside, record = {}, b""
    age_days = (day - (_called_on(record) or made)).days
    if rule.keep_days and age_days >= rule.keep_days:
        return b""
    if not rule.pseudonymise_days or age_days < rule.pseudonymise_days or not aside or aside.get("pseudonyms"):
        return line
    hidden = pseudonymised(record, key)
    if hidden == record:
        return line
    return orjson.dumps({**aside, "record": hidden.rstrip(b"\n").decode(), "pseudonyms": True}) + b"\n"


def _called_on(record: bytes) -> date | None:
    try:
        return _day(str(orjson.loads(record)["received_at"])[:10])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
