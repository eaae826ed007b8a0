"""The documents lead somewhere: no dead link, no scenario without a test, no file the README forgot."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
SCENARIO_NAME = re.compile(r"(uac|uas)_[a-z0-9_]+?__[a-z0-9_]+")


def test_no_link_is_dead(root):
    """Every relative link of a document leads to a file of the repository."""
    documents = list(root.glob("*.md"))
    documents += [p for d in ("docs", "edge", "limits", "sipp_scenarios") for p in (root / d).rglob("*.md")]
    dead = [
        f"{document.relative_to(root)} -> {target}"
        for document in documents
        for target in LINK.findall(document.read_text())
        if not re.match(r"[a-z]+:", target) and not (document.parent / target).exists()
    ]
    assert dead == []


def test_the_index_names_every_document(root):
    """docs/README.md is the way in."""
    index = (root / "docs" / "README.md").read_text()
    assert [p.name for p in sorted((root / "docs").glob("*.md")) if p.name != "README.md" and p.name not in index] == []


def test_every_scenario_is_driven(root):
    """A scenario that no test starts asserts nothing."""
    tests = "".join(p.read_text() for p in (root / "tests" / "acceptance").glob("*.py"))
    named = set(re.findall(r'"((?:uac|uas)_[a-z0-9_]+)"', tests))
    scenarios = {p.stem for p in (root / "sipp_scenarios").glob("*.xml")}
    assert scenarios
    assert scenarios == {name for name in named if "__" in name}


def test_every_table_of_callers_is_used(root):
    """An input file that no test feeds is dead weight."""
    tests = "".join(p.read_text() for p in (root / "tests" / "acceptance").glob("*.py"))
    assert [p.name for p in (root / "sipp_scenarios" / "csv").glob("*.csv") if f'"{p.stem}"' not in tests] == []


def test_a_scenario_says_what_it_shows(root):
    """Name role_behaviour__expectation, the same inside, and a comment that says the fact."""
    for path in sorted((root / "sipp_scenarios").glob("*.xml")):
        text = path.read_text()
        assert SCENARIO_NAME.fullmatch(path.stem), path.name
        assert path.stem == ElementTree.fromstring(re.sub(r"<!DOCTYPE.*?>", "", text)).get("name")
        assert "<!--" in text, path.name


def test_the_list_of_scenarios_is_complete(root):
    """sipp_scenarios/README.md tells each scenario in a line."""
    index = (root / "sipp_scenarios" / "README.md").read_text()
    assert [p.stem for p in sorted((root / "sipp_scenarios").glob("*.xml")) if f"`{p.stem}`" not in index] == []


@pytest.mark.parametrize(
    "name", ["README.md", "CHANGELOG.md", "docs/README.md", "docs/operate.md", "edge/README.md", "limits/README.md"]
)
def test_a_document_that_everyone_looks_for_is_there(root, name):
    """The tour, the changes, the manual, one page for each package."""
    assert (root / name).stat().st_size > 0


# -- docs/security.md: each row has its test ---------------------------------------------------------------------------


def security_rows(root: Path) -> list[tuple[str, list[str]]]:
    """Each row's attack and the tests it names, as PATH or PATH::TEST below tests/; `…` is the file named before."""
    rows, below = [], ""
    for line in (root / "docs" / "security.md").read_text().splitlines():
        if line.startswith("## "):
            below = ""
        elif told := re.match(r"(?:All tests|Tests) are in `([^`]+)`", line):
            below = told[1]
        elif line.startswith("| ") and not line.startswith("| Attack"):
            attack, cell = line.strip("| ").split(" | ")[0], line.rstrip("| ").rsplit(" | ", 1)[1]
            names: list[str] = []
            for name in re.findall(r"`([^`]+)`", cell):
                if name.startswith("…"):
                    name = names[-1].partition("::")[0] + name[1:]
                elif not (root / "tests" / name.partition("::")[0]).exists():
                    name = below + name
                names.append(name)
            rows.append((attack, names))
    return rows


def test_every_row_of_the_security_list_names_tests_that_are_there(root):
    """A renamed test would leave a promise without its proof."""
    rows = security_rows(root)
    assert len(rows) > 60
    astray = []
    for attack, names in rows:
        if not names:
            astray.append(attack)
        for name in names:
            file, _, test = name.partition("::")
            path = root / "tests" / file
            if not path.exists() or (test and not re.search(rf"def {re.escape(test)}\b", path.read_text())):
                astray.append(f"{attack}: {name}")
    assert astray == []
