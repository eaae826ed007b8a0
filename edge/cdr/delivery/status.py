"""What a runner tells of itself: a small file that the metrics page and `edge cdr sinks` read (I/O).

`STATE/delivery/NAME/status.json`, replaced about every second. Nothing depends on it: the checkpoint is the truth.
"""

import os
from pathlib import Path
from typing import NamedTuple

import orjson

STATUS = "status.json"


class Status(NamedTuple):
    """Instants are UTC seconds, 0: never or not now."""

    cursor: int = 0
    """Last record delivered or put aside."""
    last_seq: int = 0
    """Last record of the log when this was written."""
    pending_since: float = 0.0
    """When the call of the oldest record that waits here had ended."""
    delivered: int = 0
    quarantined: int = 0
    failures: int = 0
    """Deliveries that failed, since the process started."""
    failing_since: float = 0.0
    last_error: str = ""
    last_error_at: float = 0.0
    delivered_at: float = 0.0
    updated_at: float = 0.0


def write(home: Path, status: Status) -> None:
    """Replace the file; what a crash does to it does not matter. Raises OSError."""
    beside = home / (STATUS + ".new")
    beside.write_bytes(orjson.dumps(status._asdict()))
    beside.replace(home / STATUS)


def read(home: Path) -> Status | None:
    """The last one written; None where there is none that can be read."""
    try:
        data = orjson.loads((home / STATUS).read_bytes())
        return Status(**{name: type(value)(data[name]) for name, value in Status._field_defaults.items()})
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def lag_s(status: Status, *, last_seq: int, wall: float) -> float:
    """Seconds the oldest record has waited; 0: none waits. `last_seq`: of the log now.

    Where the process has stopped, a record that came since counts from the last word of it."""
    if last_seq <= status.cursor:
        return 0.0
    return max(0.0, wall - (status.pending_since or status.updated_at or wall))


def is_running(delivery: Path) -> bool:
    """Whether a delivery process holds the lock of STATE/delivery."""
    import fcntl

    try:
        fd = os.open(delivery / ".lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
