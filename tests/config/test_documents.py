"""Policy documents: those in good/ build, those in bad/ are refused with exactly the message beside them."""

from pathlib import Path

import pytest

from edge.config.errors import PolicyError
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "docs" / "examples"


@pytest.mark.parametrize("document", sorted((HERE / "good").glob("*.toml")), ids=lambda path: path.stem)
def test_good(document: Path) -> None:
    """A good document becomes a snapshot."""
    assert PolicySnapshot(parse_policy(document.read_text()), generation=7).generation == 7


@pytest.mark.parametrize("document", sorted((HERE / "bad").glob("*.toml")), ids=lambda path: path.stem)
def test_bad(document: Path) -> None:
    """A bad document names each exact place and what was expected there."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(document.read_text())
    assert document.with_suffix(".txt").read_text() == f"{caught.value}\n"


@pytest.mark.parametrize("document", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_example(document: Path) -> None:
    """Every example in the documentation builds."""
    assert PolicySnapshot(parse_policy(document.read_text())).routes


def test_every_bad_document_has_a_message() -> None:
    """No message without a document, no document without a message."""
    assert {path.stem for path in (HERE / "bad").glob("*.txt")} == {path.stem for path in (HERE / "bad").glob("*.toml")}
