"""A newcomer at a terminal: copies the commands of a page, block by block, in a clone where nothing has been done yet.

The terminal stands in a network namespace, so that the pages may name fixed ports, and in a process namespace, so that
whatever a page leaves running ends with its terminal. Both take root, or a sudo that asks for no password.
"""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "tutorials"
BOUND_S = 240.0
"""For one block of commands. Nothing is judged by time; this only ends what hangs."""
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DONE = "--- block done ---"


def blocks(page: str) -> list[str]:
    """Every block of commands of docs/tutorials/PAGE.md, in order."""
    return _BLOCK.findall((PAGES / f"{page}.md").read_text())


def fresh_clone(target: Path) -> Path:
    """What is in the repository, without anything that was made in it."""
    made = shutil.ignore_patterns(
        ".git", ".venv*", "build", "dist", "state", "tutorial", "*.egg-info", "__pycache__", ".*_cache"
    )
    return Path(shutil.copytree(ROOT, target, ignore=made, symlinks=True))


def environment(home: Path) -> dict[str, str]:
    """As after a login: nothing of this test run shows through."""
    kept = {
        name: value for name, value in os.environ.items() if not re.match(r"PYTHON|EDGE_|VIRTUAL_ENV|TRUNKGATE", name)
    }
    outside = [part for part in kept["PATH"].split(":") if not part.startswith(str(ROOT))]
    return kept | {"HOME": str(home), "PATH": ":".join([*outside, "/usr/sbin", "/sbin"]), "LANG": "C.UTF-8"}


def as_root() -> list[str]:
    """What to put before a command that needs root."""
    if os.geteuid() == 0:
        return []
    asked = ["sudo", "-n", "true"]
    if shutil.which("sudo") and subprocess.run(asked, capture_output=True, check=False).returncode == 0:
        return ["sudo", "-n"]
    pytest.fail("network namespaces take root, or a sudo that asks for no password: start this test with one of them")


def alone() -> list[str]:
    """What to put before a command that shall see no other process and no other network than its own loopback."""
    me = [] if os.geteuid() == 0 else ["setpriv", f"--reuid={os.getuid()}", f"--regid={os.getgid()}", "--clear-groups"]
    apart = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    path = f"PATH={os.environ['PATH']}:/usr/sbin:/sbin"
    return [*as_root(), "env", path, *apart, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *me]


class Terminal:
    """One bash that is given one block after the other."""

    def __init__(self, folder: Path, home: Path, *, apart: bool) -> None:
        self._home = home
        self._told: list[str] = []
        variables = environment(home)
        words = ["bash", "--noprofile", "--norc"]
        if apart:  # sudo keeps no variables: they are named again behind it
            words = [*alone(), "env", *(f"{name}={value}" for name, value in variables.items()), *words]
        self._shell = subprocess.Popen(
            words, cwd=folder, env=variables, text=True, errors="replace",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._say("set -e")

    def _say(self, line: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(line + "\n")
        self._shell.stdin.flush()

    def copy(self, block: str) -> str:
        """The block's output. Fails where one of its commands does."""
        script = self._home / f"block-{len(self._told)}.sh"
        script.write_text(block)
        # Read from a file: no command may eat what comes after it.
        self._say(f". {script} </dev/null; echo; echo '{_DONE}'")
        said: list[str] = []
        bound = threading.Timer(BOUND_S, self._shell.kill)
        bound.start()
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            if line.rstrip() == _DONE:
                break
            said.append(line)
        else:
            pytest.fail(f"the shell ended in this block:\n{block}\nit had said:\n{''.join(said)}")
        bound.cancel()
        self._told.append("".join(said))
        return self._told[-1]

    def close(self) -> None:
        """The end of its input ends the shell; with the shell, its namespace; with that, all that ran in it."""
        self._shell.communicate(timeout=BOUND_S)
