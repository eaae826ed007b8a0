"""The source tree as the structure tests read it: by syntax tree, never by importing it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Source:
    """One Python file of ours: its dotted name, text and syntax tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.relative = path.relative_to(ROOT).as_posix()
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        self.is_package = parts[-1] == "__init__"
        self.module = ".".join(parts[:-1] if self.is_package else parts)
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text, filename=str(path))

    def __repr__(self) -> str:
        return self.relative

    def imports(self) -> set[str]:
        """Dotted names imported anywhere in the file, `from a import b` as both `a` and `a.b`."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    package = self.module.split(".")
                    up = node.level - (1 if self.is_package else 0)
                    package = package[: len(package) - up]
                    base = ".".join([*package, base] if base else package)
                found.add(base)
                found.update(f"{base}.{alias.name}" for alias in node.names)
        return found


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every module of the two packages."""
    return [Source(path) for package in ("edge", "limits") for path in sorted((ROOT / package).rglob("*.py"))]


@pytest.fixture(scope="session")
def test_sources() -> list[Source]:
    return [Source(path) for path in sorted((ROOT / "tests").rglob("*.py"))]
