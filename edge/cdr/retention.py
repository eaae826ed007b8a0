"""How long records are kept: closed segments are purged by age, and before that their called numbers made pseudonyms.

(I/O) Contract article 6.7: twelve months at most. Each step is a link of the chain before it is done to the file, so
that a crash leaves nothing unexplained and the next run finishes it. Imports the standard library and this room.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from edge.cdr import chain, closing, segments
from edge.cdr.chain import Kind, Link, Standing
from edge.cdr.pseudonym import pseudonymised

TORN = ".torn"
REWRITTEN = ".rewritten"
LOCK = ".keeping.lock"
_BY = "called numbers older than "


class Rule(NamedTuple):
    """Days since the UTC day in a segment's name; 0: never."""

    keep_days: int = 365
    pseudonymise_days: int = 0


class Done(NamedTuple):
    """What one run did, or would do."""

    purged: list[Link]
    rewritten: list[Link]
    held: list[str]
    """Old enough, but a sink has not had them yet."""
    changed: list[str]
    """Not what they were when they were closed: left alone, for `edge cdr verify`."""
    aside: list[str]
    """Files of what sinks refused (`keeping.apply`) from which records or called numbers went."""


def today() -> date:
    """The UTC day."""
    return datetime.now(UTC).date()


def keep(
    directory: Path,
    rule: Rule,
    *,
    day: date,
    key: bytes = b"",
    needed_from: int | None = None,
    dry_run: bool = False,
) -> Done:
    """Apply the rule to the closed segments of this directory. `needed_from`: the first record that a sink still needs;
    None: no sink. Safe beside the writer, which never touches a closed segment again. Raises OSError."""
    done = Done([], [], [], [], [])
    if dry_run:
        _keep(directory, rule, day, key, needed_from, True, done)
        return done
    with _alone(directory):
        _keep(directory, rule, day, key, needed_from, False, done)
    return done


def _keep(
    directory: Path, rule: Rule, day: date, key: bytes, needed_from: int | None, dry_run: bool, done: Done
) -> None:
    standings = chain.load(directory).standings()
    for first_seq, path in segments.listed(directory):
        standing = standings.get(path.name)
        if standing is None or standing.closed is None:
            continue
        age = _age_days(path, day)
        if standing.purged is not None:
            _remove(path, dry_run)  # a crash came between the tombstone and this
        elif rule.keep_days and age >= rule.keep_days:
            if needed_from is not None and standing.closed.last_seq >= needed_from:
                done.held.append(path.name)
            else:
                done.purged.append(_purge(path, first_seq, standing.closed, rule, dry_run))
        elif rule.pseudonymise_days and age >= rule.pseudonymise_days:
            _rewrite(path, standing, rule, key, dry_run, done)
    if not dry_run:
        _sweep_torn(directory, rule, day)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """The edge does this every hour and an operator by hand: one after the other."""
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _sweep_torn(directory: Path, rule: Rule, day: date) -> None:
    """What a crash tore off is a part of a record with its numbers, also beside a segment that holds none."""
    days = [limit for limit in rule if limit]
    for path in directory.glob("*" + TORN):
        if days and _age_days(path.with_name(path.name.removesuffix(TORN)), day) >= min(days):
            path.unlink(missing_ok=True)


def _age_days(path: Path, day: date) -> int:
    written = segments.day_of(path)
    try:
        return (day - date(int(written[:4]), int(written[4:6]), int(written[6:]))) // timedelta(days=1)
    except ValueError:
        return 0


def _purge(path: Path, first_seq: int, closed: Link, rule: Rule, dry_run: bool) -> Link:
    """The tombstone, then the file, and what a crash had torn off it."""
    text = f"older than {rule.keep_days} days"
    link = closed._replace(kind=Kind.PURGE, first_seq=first_seq, at=closing.stamp(), was="", rule=text)
    if not dry_run:
        chain.append(path.parent, [link])
        _remove(path, dry_run)
    return link


def _remove(path: Path, dry_run: bool) -> None:
    if dry_run:
        return
    for name in (path.name, path.name + TORN, path.name + REWRITTEN):
        path.with_name(name).unlink(missing_ok=True)
    segments.sync_directory(path.parent)


def _rewrite(path: Path, standing: Standing, rule: Rule, key: bytes, dry_run: bool, done: Done) -> None:
    """Called numbers out of this segment: a new file, its link, then the new file in the place of the old one."""
    closed = standing.closed
    assert closed is not None
    beside = path.with_name(path.name + REWRITTEN)
    if closed.kind is Kind.REWRITE:
        if dry_run or not beside.exists():
            return
        # A crash came between the link and this.
        if closing.content_of(beside).sha256 == closed.sha256:
            _replace(beside, path)
            return
        beside.unlink()
        closed = closed._replace(sha256=closed.was)
    if closing.content_of(path).sha256 != closed.sha256:
        done.changed.append(path.name)
        return
    text = f"{_BY}{rule.pseudonymise_days} days are pseudonyms"
    if dry_run:
        done.rewritten.append(closed._replace(kind=Kind.REWRITE, rule=text))
        return
    held = _write_beside(path, beside, key)
    link = closed._replace(
        kind=Kind.REWRITE,
        at=closing.stamp(),
        size=held.size,
        sha256=held.sha256,
        was=closed.sha256,
        rule=text,
    )
    chain.append(path.parent, [link])
    _replace(beside, path)
    done.rewritten.append(link)


def _write_beside(path: Path, beside: Path, key: bytes) -> closing.Content:
    """The segment without its called numbers, on the disk."""
    checksum = sha256()
    records = size = 0
    with path.open("rb") as old, open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as new:
        for line in old:
            changed = pseudonymised(line, key)
            new.write(changed)
            checksum.update(changed)
            records += 1
            size += len(changed)
        new.flush()
        os.fsync(new.fileno())
    segments.sync_directory(path.parent)  # its name too, before the link says that it is there
    with suppress(OSError):
        os.chmod(beside, path.stat().st_mode & 0o777)
    return closing.Content(records, size, checksum.hexdigest())


def _replace(beside: Path, path: Path) -> None:
    beside.replace(path)
    segments.sync_directory(path.parent)
