"""Records read from real files, and `edge policy replay` at a terminal."""

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.commands import app
from edge.policies.records import NoRecords, Records

POLICY = """
[[accounts]]
id = "acme"
[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
account = "acme"
[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"
[[routes]]
id = "any"
prefixes = [""]
trunks = ["a"]
"""


def line(number: int, **columns: object) -> bytes:
    record = {
        "uid": f"u{number}", "outcome": "answered", "source": "192.0.2.1:5060", "account": "acme",
        "decided_by": "limits", "cli_original": "+33199001234", "called_original": "+33261910000", "headers": [],
        "candidates": [["a", 200]],
        "received_at": f"2026-11-25T09:46:{number:02}.000001Z", **columns,
    }  # fmt: skip
    return json.dumps(record).encode() + b"\n"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with three segments, the first of them packed, the last one torn."""
    folder = tmp_path / "state" / "cdr"
    folder.mkdir(parents=True)
    with gzip.open(folder / "cdr-20261124-000000000001.jsonl.gz", "wb") as packed:
        packed.write(line(1) + line(2))
    (folder / "cdr-20261125-000000000003.jsonl").write_bytes(line(3) + b'["no record"]\n')
    (folder / "cdr-20261125-000000000005.jsonl").write_bytes(line(5) + line(6)[:40])
    (folder / "cdr-20261125-000000000005.jsonl.torn").write_bytes(b"x")
    return tmp_path / "state"


def edge(*words: str, text: bytes | None = None):
    return CliRunner().invoke(app, ["policy", "replay", *words], input=text)


def test_segments_are_read_in_order(state: Path) -> None:
    """Packed or not, by a state directory, a directory of segments or one by one; what is no record is counted."""
    for names in ([str(state)], [str(state / "cdr")], sorted(map(str, (state / "cdr").glob("cdr-*[lz]")))):
        found = Records(names)
        assert [record["uid"] for record in found] == ["u1", "u2", "u3", "u5"]
        assert (found.broken, found.read) == (2, found.size)


def test_one_call_is_found(state: Path) -> None:
    """By its uid, in whatever segment."""
    found = Records([str(state)])
    assert [(found.search(uid) or {}).get("uid") for uid in ("u2", "u5", "u9")] == ["u2", "u5", None]


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_nothing_to_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Says what was expected."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoRecords, match="expected CDRs"):
        Records([name])


def test_replay(state: Path, tmp_path: Path) -> None:
    """The same document changes nothing; another one says what; `--json` for a program; stdin too."""
    (tmp_path / "p.toml").write_text(POLICY)
    done = edge(str(state), "--policy", str(tmp_path / "p.toml"))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "nothing would be decided otherwise")
    (tmp_path / "q.toml").write_text(POLICY.replace("192.0.2.0/24", "192.0.2.9"))
    done = edge(str(state), "--policy", str(tmp_path / "q.toml"), "--json")
    (change,) = json.loads(done.stdout)["changes"]
    assert (change["before"], change["after"], change["count"]) == ("passed", "unknown_source", 4)
    done = edge("-", "--policy", str(tmp_path / "q.toml"), text=line(1))
    assert "         1  passed -> unknown_source (house)" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nowhere", "--policy", "p.toml"], 1, "edge: nowhere: no such file or directory; expected CDRs"),
        (["x"], 2, "edge: --policy, --generation: expected one of them"),
        (["x", "--policy", "bad.toml"], 1, "edge: bad.toml: x: unknown key"),
    ],
)
def test_what_is_wrong_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, told: str
) -> None:
    """In one sentence each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.toml").write_text(POLICY)
    (tmp_path / "bad.toml").write_text("x = 1")
    done = edge(*words)
    assert (done.exit_code, done.stderr.startswith(told)) == (code, True), done.stderr
