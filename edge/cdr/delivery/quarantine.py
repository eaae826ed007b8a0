"""Records that a consumer refuses for good: put aside with the reason, never dropped, never in the way (I/O).

`STATE/delivery/NAME/quarantine-YYYYMMDD.jsonl` (UTC day of the refusal): one JSON object a line with `at`, `seq`,
`uid`, `reason` and the `record` as it stands in the log. A crash may leave the same record twice.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import orjson

from edge.cdr.segments import sync_directory

MAX_REASON_CHARS = 500


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
