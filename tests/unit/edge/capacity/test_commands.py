"""`edge capacity` on the command line."""

import json

from typer.testing import CliRunner

from edge.commands import app


def told(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["capacity", *words])
    return result.exit_code, result.output


def test_a_table_and_the_first_limit():
    """In words."""
    code, said = told("2000", "--duration-s", "100", "--busiest-account", "0.2")
    assert code == 0
    assert "2,000 attempts/s, 120,000 concurrent calls" in said
    assert "is the first limit, and this traffic is below it" in said
    assert "1 masters of the store, and a replica for each" not in said


def test_a_limit_that_is_passed_is_said():
    """One account with all of the traffic."""
    code, said = told("20000", "--accounts", "1", "--busiest-account", "1")
    assert code == 0
    assert "is the first limit, and this traffic is past it" in said


def test_one_json_object(tmp_path):
    """With figures of a file."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"sip_us_per_attempt": 600, "sip_us_per_renewal": 0}))
    code, said = told("1000", "--json", "--measured", str(path))
    found = json.loads(said)
    assert (code, found["needs"][0]) == (
        0,
        {"name": "workers, a core each", "amount": 1, "unit": "cores", "hosts": 1, "where": "edge"},
    )
    assert found["limits"][0]["attempts_per_s"] < found["limits"][1]["attempts_per_s"]


def test_what_cannot_be_read_is_one_sentence(tmp_path):
    """A file that is not there, no JSON, no object; a value that makes no sense."""
    path = tmp_path / "mine.json"
    assert told("1000", "--measured", str(path)) == (
        2,
        f"edge: --measured {path}: cannot be read: No such file or directory\n",
    )
    path.write_text("{")
    assert told("1000", "--measured", str(path))[1].startswith(f"edge: --measured {path}: no JSON: ")
    path.write_text("[1]")
    assert told("1000", "--measured", str(path)) == (
        2,
        f"edge: --measured {path}: expected one object of names and numbers\n",
    )
    path.write_text('{"speed": 1}')
    assert told("1000", "--measured", str(path))[1].startswith("edge: speed: no such figure")
    assert told("0") == (2, "edge: attempts_per_s is 0: expected more than 0 and less than a thousand million\n")
