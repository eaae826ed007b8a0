"""edge.policies.views"""

import json

import pytest

from edge.policies import views
from edge.policies.differences import Difference
from edge.policies.versions import Changed
from limits.documents import Part, Version

VERSION = Version(3, 1_790_000_000_000, "ann", "why not", 1, (Part("policy.toml", "ab" * 32, 12),))
ONE = (Difference("changed", "accounts.a.caps_base", "1", "2"),)


def test_history() -> None:
    """Who, when, why, which files; a rollback says to what."""
    assert views.version_lines([VERSION]) == [
        "2026-09-21 14:13:20Z  generation 3, generation 1 again, ann: why not",
        "    policy.toml  12 bytes  abababababab",
    ]
    assert views.version_lines([]) == ["the store holds no policy"]
    (told,) = json.loads(json.dumps(views.version_data([VERSION])))
    assert (told["rolled_back_to"], told["parts"][0]["name"]) == (1, "policy.toml")


@pytest.mark.parametrize(
    ("done", "dry_run", "last"),
    [
        (Changed(ONE, 2, VERSION, False), False, "generation 3 is in force since 2026-09-21 14:13:20Z"),
        (
            Changed(ONE, 2, None, False),
            True,
            "dry run: sound; it would be in force after generation 2; nothing was changed",
        ),
        (
            Changed((), 0, None, False),
            True,
            "dry run: sound; it would be in force as the first one; nothing was changed",
        ),
        (Changed((), 2, None, True), False, "the same as generation 2, which is in force: nothing changed"),
    ],
)
def test_changed(done: Changed, dry_run: bool, last: str) -> None:
    """The last line says what is in force now."""
    assert views.changed_lines(done, dry_run=dry_run)[-1] == last


def test_changed_for_machines() -> None:
    """What was, what is, and each difference."""
    assert views.changed_data(Changed(ONE, 2, VERSION, False), dry_run=False) == {
        "before": 2,
        "generation": 3,
        "is_same": False,
        "dry_run": False,
        "differences": [{"kind": "changed", "path": "accounts.a.caps_base", "before": "1", "after": "2"}],
    }


@pytest.mark.parametrize(("found", "last"), [((), "no difference"), (ONE, "1 difference"), (ONE * 2, "2 differences")])
def test_difference_lines(found: tuple[Difference, ...], last: str) -> None:
    """Counted in the end."""
    assert views.difference_lines(found)[-1] == last
