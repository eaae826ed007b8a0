"""The source tree as the structure tests read it: by syntax tree, never by importing it."""

import ast
import gc
from functools import cached_property
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

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Of the whole tree: nearly every test looks at all of them."""
        return list(ast.walk(self.tree))

    @cached_property
    def imported(self) -> frozenset[str]:
        """Dotted names imported anywhere in the file, `from a import b` as both `a` and `a.b`."""
        found: set[str] = set()
        for node in self.nodes:
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
        return frozenset(found)

    def imports(self) -> frozenset[str]:
        return self.imported


def read(*folders: str) -> list[Source]:
    """Every file of these; meanwhile the collector of cyclic garbage rests, which finds none in trees that are kept."""
    gc.disable()
    try:
        return [Source(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every module of the two packages."""
    return read("edge", "limits")


@pytest.fixture(scope="session")
def test_sources() -> list[Source]:
    return read("tests")
