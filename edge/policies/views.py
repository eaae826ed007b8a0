"""How the life of the policy document is shown: lines for a terminal, mappings for `--json`. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime

from edge.policies.differences import Difference
from edge.policies.versions import Changed
from limits.documents import Version

Json = dict[str, object]


def instant(at_ms: int) -> str:
    """UTC of the store's clock."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def difference_lines(found: Iterable[Difference]) -> list[str]:
    """Each difference, and how many there are."""
    told = [str(difference) for difference in found]
    return [*told, f"{len(told)} differences" if len(told) != 1 else "1 difference"] if told else ["no difference"]


def difference_data(found: Iterable[Difference]) -> list[Json]:
    """The same for machines."""
    return [difference._asdict() for difference in found]


def changed_lines(done: Changed, *, dry_run: bool) -> list[str]:
    """What an import or a rollback did."""
    if done.is_same:
        return [f"the same as generation {done.before}, which is in force: nothing changed"]
    lines = difference_lines(done.differences)
    if not done.differences:
        lines = ["no difference in meaning"]
    if done.version is None:
        after = f"after generation {done.before}" if done.before else "as the first one"
        return [*lines, f"dry run: sound; it would be in force {after}; nothing was changed"] if dry_run else lines
    return [*lines, f"generation {done.version.generation} is in force since {instant(done.version.at_ms)}"]


def changed_data(done: Changed, *, dry_run: bool) -> Json:
    """The same for machines."""
    return {
        "before": done.before,
        "generation": None if done.version is None else done.version.generation,
        "is_same": done.is_same,
        "dry_run": dry_run,
        "differences": difference_data(done.differences),
    }


def version_lines(versions: Iterable[Version]) -> list[str]:
    """The history, the newest first."""
    lines = []
    for version in versions:
        back = f", generation {version.rolled_back_to} again" if version.rolled_back_to else ""
        why = f": {version.why}" if version.why else ""
        lines.append(f"{instant(version.at_ms)}  generation {version.generation}{back}, {version.by}{why}")
        lines += [f"    {part.name}  {part.size} bytes  {part.sha256[:12]}" for part in version.parts]
    return lines or ["the store holds no policy"]


def version_data(versions: Iterable[Version]) -> list[Json]:
    """The same for machines; instants in UTC milliseconds."""
    return [{**version._asdict(), "parts": [part._asdict() for part in version.parts]} for version in versions]
