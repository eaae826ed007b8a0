"""Every article of the carrier's contract that names the edge has a test whose name, or whose case, holds it."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ARTICLES = (
    "6.1", "6.7", "7.1.1", "9.1.7", "9.1.8", "9.1.12", "9.1.13", "9.1.15", "9.1.17", "9.2.3", "9.2.4", "11.2", "12.5",
    "12.7.2", "12.7.3", "13.1", "13.1.4", "17.3", "24.2.2", "24.2.3", "24.2.4", "24.2.5", "24.4", "25",
    "26", "27", "28",
)  # fmt: skip
NAMES = re.compile(r"def (test_\w+)|\bid=\"([^\"]+)\"")


def named() -> list[str]:
    """Names of all tests, and of their cases, with points for underscores between digits."""
    found = [match for path in sorted(TESTS.rglob("test_*.py")) for match in NAMES.findall(path.read_text())]
    return [re.sub(r"(?<=\d)_(?=\d)", ".", name or case) for name, case in found]


@pytest.fixture(scope="module")
def names() -> list[str]:
    return named()


@pytest.mark.parametrize("article", ARTICLES)
def test_an_article_has_its_test(names: list[str], article: str) -> None:
    """`test_contract_9_1_8_…`, `test_days_and_hours_9_1_12`, `id="24.2.5 …"`."""
    whole = re.compile(rf"(?:^|[_ ]){re.escape(article)}(?:$|[_ ])")
    assert [name for name in names if whole.search(name)], f"no test names article {article}"
