"""edge.config.source"""

from pathlib import Path

import pytest

from edge.config.errors import PolicyError
from edge.config.source import PolicyFile


def test_reload_takes_the_next_generation(tmp_path: Path) -> None:
    """A changed file is a new generation; an unchanged one is the same snapshot."""
    path = tmp_path / "policy.toml"
    path.write_text('[[accounts]]\nid = "a"')
    file = PolicyFile(path)
    first = file.snapshot
    assert first.generation == 1
    assert file.reload() is first
    path.write_text('[[accounts]]\nid = "b"')
    assert (file.reload().generation, list(file.snapshot.accounts)) == (2, ["b"])


def test_a_changed_list_of_numbers_is_a_new_generation(tmp_path: Path) -> None:
    """The file of numbers is read again with the document; a bad one changes nothing."""
    path, numbers = tmp_path / "policy.toml", tmp_path / "numbers.csv"
    path.write_text('[numbers]\ncli_file = "numbers.csv"\n[[accounts]]\nid = "a"')
    numbers.write_text("a,+33199001200\n")
    file = PolicyFile(path)
    assert file.reload().generation == 1
    numbers.write_text("a,+33199001200,+33199001299\n")
    assert (file.reload().generation, file.snapshot.ownership.owns("a", "+33199001250")) == (2, True)
    numbers.write_text("a,+33199001200\nb,+33199001201\n")
    with pytest.raises(PolicyError) as caught:
        file.reload()
    assert str(caught.value) == f"{numbers}:2: no account named 'b'"
    assert file.snapshot.ownership.owns("a", "+33199001250")


def test_a_bad_document_changes_nothing(tmp_path: Path) -> None:
    """The old policy stays in force, and the message names file and place; again at the next try."""
    path = tmp_path / "policy.toml"
    path.write_text('[[accounts]]\nid = "a"')
    file = PolicyFile(path)
    first = file.snapshot
    path.write_text('[[accounts]]\nid = "{"')
    for _ in range(2):
        with pytest.raises(PolicyError) as caught:
            file.reload()
        assert str(caught.value).startswith(f"{path}: accounts[0].id: expected a name")
        assert file.snapshot is first
    path.write_text('[[accounts]]\nid = "c"')
    assert file.reload().generation == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"x = [", "end of document: not TOML: Invalid value"),
        (b"#" * (4 * 1024 * 1024 + 1), "expected at most 4194304 characters, got 4194305"),
    ],
)
def test_unreadable(tmp_path: Path, content: bytes | None, message: str) -> None:
    """What cannot be read says so with the file's name."""
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        PolicyFile(path)
    assert str(caught.value) == f"{path}: {message}"
