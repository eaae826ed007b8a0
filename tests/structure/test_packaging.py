"""What ships is what was tested: the wheel holds everything the product needs, and nothing else."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

COMPILED = bool(os.environ.get("TRUNKGATE_TESTS_COMPILED"))


@pytest.fixture(scope="module")
def wheel_names(root, tmp_path_factory) -> set[str]:
    """Names in the wheel under test; built here where no other stage has built it."""
    folder = Path(os.environ.get("TRUNKGATE_WHEEL_DIR") or tmp_path_factory.mktemp("wheel"))
    if not list(folder.glob("*.whl")):
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(root)]
        subprocess.run(command, check=True, timeout=120, stdin=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def project(root: Path) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


def requirement_name(requirement: str) -> str:
    return re.split(r"[\s<>=!~\[;(]", requirement, maxsplit=1)[0].lower()


def test_every_module_ships(wheel_names, root):
    """A package that pyproject.toml forgets to name would be missing at the first import."""
    ours = {p.relative_to(root).as_posix() for package in ("edge", "limits") for p in (root / package).rglob("*.py")}
    assert set() == ours - wheel_names


def test_the_scripts_of_the_limits_ship(wheel_names, root):
    """Every Lua script is package data."""
    scripts = {p.relative_to(root).as_posix() for p in (root / "limits" / "scripts").glob("*.lua")}
    assert scripts
    assert set() == scripts - wheel_names


@pytest.mark.parametrize("name", ["edge/README.md", "limits/README.md", "edge/py.typed", "edge/cdr/cdr.schema.json"])
def test_what_readers_and_type_checkers_need_ships(wheel_names, name):
    """The one-page architecture, the account model and the typing marker travel with the code."""
    assert name in wheel_names


def test_nothing_else_ships(wheel_names):
    """Tests, scenarios and documents of the checkout stay out of site-packages."""
    ours = r"(edge|limits|trunkgate-[^/]+\.dist-info)/" + (r"|trunkgate__mypyc\.[^/]+$" if COMPILED else "")
    assert set() == {name for name in wheel_names if not re.match(ours, name)}


def named_in_setup(root: Path, name: str) -> tuple[str, ...]:
    """A tuple of setup.py."""
    body = ast.parse((root / "setup.py").read_text()).body
    named = {ast.unparse(one.targets[0]): one.value for one in body if isinstance(one, ast.Assign)}
    return ast.literal_eval(named[name])


def test_what_is_compiled(wheel_names, root):
    """Nothing, in the wheel for every machine; else each module of the core and those named beside it, with its
    source."""
    objects = {name for name in wheel_names if name.endswith(".so")}
    core = {name for name in wheel_names if re.match(r"edge/(sip|proxy|policy)/.*(?<!__init__)\.py$", name)}
    assert core
    core |= set(named_in_setup(root, "MODULES"))
    found = {f"{name.split('.')[0]}.py" for name in objects if "/" in name}
    assert (core if COMPILED else set()) == found
    assert [name.split(".")[0] for name in objects if "/" not in name] == ["trunkgate__mypyc"] * COMPILED


def asked_for(root: Path, form: str) -> subprocess.CompletedProcess[str]:
    """What the build would make of TRUNKGATE_COMPILE where no C compiler is: is there anything to compile?"""
    code = (
        "import runpy, setuptools; setuptools.setup = lambda **a: print(a['ext_modules']); runpy.run_path('setup.py')"
    )
    environment = os.environ | {"TRUNKGATE_COMPILE": form, "CC": "no-such-compiler"}
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)


def test_without_a_compiler_the_wheel_is_pure(root):
    """`auto` takes what is there, and says so."""
    done = asked_for(root, "auto")
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert "not compiled, for want of a C compiler (no-such-compiler): the wheel is pure Python\n" in done.stderr


@pytest.mark.parametrize(
    ("form", "said"),
    [("1", "TRUNKGATE_COMPILE=1 needs a C compiler (no-such-compiler)"), ("on", "TRUNKGATE_COMPILE is 0, 1 or auto")],
)
def test_what_cannot_be_built_is_said(root, form, said):
    """Who asks for the compiled form gets it or hears why not; a misspelled word is no form."""
    done = asked_for(root, form)
    assert done.returncode != 0
    assert said in done.stderr


def test_no_dependency_needs_the_other_limits(root):
    """Our `limits` shadows a package of that name on the index: nothing we install may need that one."""
    declared = project(root)
    wanted = declared["dependencies"] + [r for extra in declared["optional-dependencies"].values() for r in extra]
    seen: set[str] = set()
    todo = [requirement_name(requirement) for requirement in wanted]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        todo += [requirement_name(need) for need in needs if "extra ==" not in need]
    assert "limits" not in seen


def test_every_dependency_says_why_it_is_there(root):
    """A runtime dependency is justified in one comment on its line."""
    text = (root / "pyproject.toml").read_text()
    block = text[text.index("dependencies = [") :].split("]\n", 1)[0]
    assert [line for line in block.splitlines()[1:] if line.strip() and "#" not in line] == []


def test_the_tests_run_against_the_installed_wheel(root):
    """In the gates the checkout must not be importable: what ships is what is tested."""
    import edge

    installed = root not in Path(edge.__file__).resolve().parents or "site-packages" in edge.__file__
    assert installed or not os.environ.get("TRUNKGATE_TESTS_INSTALLED")


@pytest.mark.parametrize(
    "name",
    [
        "scripts/run",
        "scripts/test",
        "scripts/check",
        "scripts/acceptance",
        "scripts/bench",
        "scripts/bench-cdr",
        "scripts/bench-policy",
        "scripts/render-reference",
        ".ci/run",
    ],
)
def test_a_script_can_be_started(root, name):
    """Each command of the README is executable and names its interpreter."""
    path = root / name
    assert os.access(path, os.X_OK)
    assert path.read_bytes().startswith(b"#!/usr/bin/env ")
