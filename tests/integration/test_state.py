"""The state directory: made private, its secret kept, its faults told in a sentence."""

from pathlib import Path

import pytest

from edge import state


def test_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Secrets and CDRs live there."""
    directory = tmp_path / "deep" / "state"

    state.prepare(directory)

    assert directory.stat().st_mode & 0o077 == 0


def test_secret_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """Tokens in Record-Route must still verify."""
    first = state.secret(tmp_path)

    assert state.secret(tmp_path) == first
    assert len(first) == state.SECRET_BYTES
    assert (tmp_path / "record-route.secret").stat().st_mode & 0o777 == 0o600


def test_damaged_secret_is_refused_by_name(tmp_path: Path) -> None:
    """A short key would sign weakly."""
    (tmp_path / "record-route.secret").write_bytes(b"short")

    with pytest.raises(state.StateError, match=r"record-route\.secret: expected 32 bytes, found 5"):
        state.secret(tmp_path)


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    """The message says what was expected."""
    (tmp_path / "state").write_text("")

    with pytest.raises(state.StateError, match="expected a directory"):
        state.prepare(tmp_path / "state")


def test_configured_node_name_wins() -> None:
    """Empty: the host's name."""
    assert state.node_name("edge7") == "edge7"
    assert state.node_name("") != ""
