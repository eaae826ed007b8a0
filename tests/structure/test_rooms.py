"""Rooms stay small, are named for what they hold, and keep the house rules that a reader relies on."""

import ast
import re
import warnings

import pytest

SOFT_LINES, HARD_LINES = 400, 600
FUNCTION_LINES = 80
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc", "cli"}
FORBIDDEN_WORDS = {"gateway", "vendor", "dnis", "tps", "cps", "leg", "legs", "aleg", "bleg", "blacklist", "whitelist"}
FORBIDDEN_TEXT = ("type: ignore", "pragma: no cover", "TODO", "FIXME")


def words(identifier: str) -> set[str]:
    """`EgressTrunkID_list` -> egress, trunk, id, list."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}


def identifiers(nodes: list[ast.AST]):
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def test_no_room_is_too_large(sources):
    """A file past 600 lines is two rooms; past 400 it is on its way."""
    sizes = {source.relative: source.text.count("\n") for source in sources}
    for name, lines in sizes.items():
        if SOFT_LINES < lines <= HARD_LINES:
            warnings.warn(f"{name} has {lines} lines (soft cap {SOFT_LINES})", stacklevel=1)
    assert {name: lines for name, lines in sizes.items() if lines > HARD_LINES} == {}


def test_a_function_fits_a_screen(sources):
    """A function that does not fit a screen does more than one thing."""
    long = {
        f"{source.relative}:{node.name}": node.end_lineno - node.lineno + 1
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno >= FUNCTION_LINES
    }
    assert long == {}


def test_rooms_are_named_for_what_they_hold(sources):
    """No drawer for odds and ends."""
    assert [s.relative for s in sources if words(s.module.split(".")[-1]) & EMPTY_NAMES] == []


def test_every_room_says_what_it_is(sources):
    """A module begins with its docstring: what it is, which RFC sections, what it may import."""
    assert [
        s.relative for s in sources if not s.is_package and s.text.strip() and ast.get_docstring(s.tree) is None
    ] == []


def test_only_words_of_the_glossary_name_things(sources):
    """One word for one thing: trunk, never its synonyms; a proxy has sides."""
    used = [
        f"{source.relative}:{line} {name}"
        for source in sources
        for name, line in identifiers(source.nodes)
        if words(name) & FORBIDDEN_WORDS
    ]
    assert used == []


@pytest.mark.parametrize("text", FORBIDDEN_TEXT)
def test_nothing_is_waved_through(sources, text):
    """No silenced type checker, no uncovered branch by decree, no promise without an issue."""
    assert [source.relative for source in sources if text in source.text] == []


def annotations(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.expr]:
    """Of every argument and of the result."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [a for a in (*(n.annotation for n in named if n), function.returns) if a]


def test_signatures_say_their_types(sources):
    """`Any` in a signature is no type."""
    vague = [
        f"{source.relative}:{node.lineno} {node.name}"
        for source in sources
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(isinstance(part, ast.Name) and part.id == "Any" for a in annotations(node) for part in ast.walk(a))
    ]
    assert vague == []


def test_no_test_sleeps(test_sources):
    """Waiting is for the thing itself, with a bound; `sleep(0)` only lets the loop turn."""
    sleeping = []
    for source in test_sources:
        for node in source.nodes:
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name == "sleep" and not (
                    len(node.args) == 1 and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
                ):
                    sleeping.append(f"{source.relative}:{node.lineno}")
    assert sleeping == []


def test_no_test_is_switched_off(test_sources):
    """A test that does not run proves nothing."""
    marks = {"skip", "skipif", "xfail", "importorskip"}
    off = [
        f"{source.relative}:{node.lineno}"
        for source in test_sources
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr in marks
    ]
    assert off == []


def test_unit_tests_mirror_the_source(root, sources):
    """A module is proved by its own tests: tests/unit/edge/sip/test_uri.py belongs to edge/sip/uri.py."""
    modules = {source.relative for source in sources}
    astray = []
    for path in sorted((root / "tests" / "unit").rglob("test_*.py")):
        relative = path.relative_to(root / "tests" / "unit")
        stem = relative.stem.removeprefix("test_")
        candidates = [stem]
        while "_" in candidates[-1]:
            candidates.append(candidates[-1].rsplit("_", 1)[0])
        folder = relative.parent.as_posix()
        if not any(f"{folder}/{c}.py" in modules or f"{folder}/{c}/__init__.py" in modules for c in candidates):
            astray.append(relative.as_posix())
    assert astray == []
