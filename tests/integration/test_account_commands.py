"""`edge account …` against a real store: every command, every refusal, what is printed and what is not."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from edge.commands import app
from limits.embedded import find_binary
from limits.keys import account_keys

ROOT = Path(__file__).parents[2]
AGE = (ROOT / "tests" / "contract" / "age.lua").read_text()


class Desk:
    """An operator's desk: one store, one command at a time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = redis.Redis.from_url(url, decode_responses=True)
        self._runner = CliRunner()

    def ask(self, *words: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of `edge account …`."""
        done = self._runner.invoke(
            app, ["account", *words, "--redis", self.url], env={"EDGE_REDIS": "", "COLUMNS": "200"}
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    def say(self, *words: str) -> str:
        """What a command that succeeds prints."""
        code, out, err = self.ask(*words)
        assert (code, err) == (0, "")
        return out

    def data(self, *words: str) -> dict:
        """What it prints for a machine."""
        found = json.loads(self.say(*words, "--json"))
        assert isinstance(found, dict)
        return found

    def age(self, account: str, ms: int) -> None:
        """Time passes for this account."""
        names = account_keys(account)
        self.client.eval(AGE, 5, names.account, names.leases, names.calls, names.expired, names.reverts, str(ms))


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """A server for this file alone."""
    with tempfile.TemporaryDirectory(prefix="desk-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "s"
        words = ["--port", "0", "--unixsocket", str(path), "--dir", folder, "--save", "", "--daemonize", "no"]
        process = subprocess.Popen([str(find_binary()), *words], stdout=subprocess.DEVNULL)
        try:
            client = redis.Redis(unix_socket_path=str(path))
            for _ in range(10_000):
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    process.poll()
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture
def desk(store: str) -> Desk:
    """Accounts acme and acme2, nothing else."""
    found = Desk(store)
    found.client.flushall()
    found.say("create", "acme", "caps_base=5", "--opening", "20.50")
    found.say("create", "acme2")
    return found


@pytest.fixture
def history(desk: Desk) -> Callable[[], list[dict]]:
    """acme's journal, the newest first."""

    def read() -> list[dict]:
        return list(json.loads(desk.say("history", "acme", "--json")))

    return read


def test_show_tells_what_is_in_force_and_in_use(desk):
    """Ceilings with their lots, money, what returns by itself."""
    desk.say("set", "acme", "spend_cap_hour=10", "max_rate=0.5", "prefix_ceilings=+3389:2:1,3000::4", "shadow=caps")
    lines = desk.say("show", "acme").splitlines()
    assert lines[0] == "acme: active, generation 2"
    told = {line.split("  ")[1].strip(): line for line in lines[1:]}
    assert "5 = 5 + 0 x 10; burst 5, 5.0 tokens now" in told["CAPS"]
    assert "0 of 10 = 10 + 0 x 30" in told["calls"]
    assert "balance 20.50, floor 0.00, held 0.00, free 20.50" in told["credit"]
    assert "this hour 0.00 of 10.00, today 0.00" in told["spent"]
    assert "0.50 a minute" in told["dearest rate"]
    assert "caps: judged, not enforced" in told["shadow"]
    assert any("to 3000" in line and "0 of any calls, CAPS 4" in line for line in lines)

    data = desk.data("show", "acme")
    assert (data["caps"], data["balance_micros"], data["generation"]) == (5, 20_500_000, 2)
    assert data["values"]["prefix_ceilings"][0] == {"prefix": "+3389", "calls": 2, "caps": 1}


def test_list_tells_all_or_some(desk):
    """By the beginning of the name; numbers are aligned, money is in units."""
    desk.say("create", "group:pool", "calls_base=7")
    rows = [line.split() for line in desk.say("list").splitlines()]
    assert rows[0][:5] == ["ACCOUNT", "STATUS", "CALLS", "OF", "CAPS"]
    assert [row[0] for row in rows[1:]] == ["acme", "acme2", "group:pool"]
    assert rows[1][1:7] == ["active", "0", "10", "5", "20.50", "0.00"]
    assert [row["account"] for row in json.loads(desk.say("list", "group:", "--json"))] == ["group:pool"]
    assert desk.say("list", "zzz") == "no accounts\n"


def test_calls_tells_who_holds_a_slot(desk):
    """Since when, how long it rings or talks, what is held for it."""
    assert desk.say("calls", "acme") == "acme: no calls\n"
    now = int(desk.client.time()[0]) * 1_000
    names = account_keys("acme")
    desk.client.zadd(names.leases, {"u1": now + 30_000, "u2": now + 20_000})
    desk.client.hset(names.calls, "u1", f"{now - 65_000} {now - 60_000} {now} 90 1500000 0 0 1000000 1 1 0 - - edge 1")
    desk.client.hset(names.calls, "u2", f"{now - 5_000} 0 {now} 0 0 0 0 0 0 0 0 - - edge2")
    first, second, third = desk.say("calls", "acme").splitlines()
    assert first.split() == ["CALL", "NODE", "SINCE", "RINGS", "TALKS", "PAID", "HELD", "LEASE"]
    assert second.split()[:2] == ["u2", "edge2"]
    assert (" - " in second, "edge 1" in third, "0:05" in third, "1:30" in third, "1.50" in third) == (True,) * 5
    data = json.loads(desk.say("calls", "acme", "--json"))
    assert (data[1]["uid"], data[1]["paid_s"], data[1]["held_micros"]) == ("u1", 90, 1_500_000)


@pytest.mark.parametrize(
    ("lots", "found"), [("+2", 2), ("3", 3), ("=4", 4), ("+0", 0)], ids=["more", "in all", "exactly", "none"]
)
@pytest.mark.parametrize("command", ["caps-lots", "call-lots"])
def test_lots(desk, command, lots, found):
    """More, less, or so many in all."""
    desk.say(command, "acme", lots, "--reason", "fair")
    assert desk.data("show", "acme")["values"][command.replace("-", "_")] == found


def test_lots_are_taken_back(desk):
    """But no more than there are."""
    desk.say("caps-lots", "acme", "3")
    assert desk.say("caps-lots", "acme", "-1").startswith("acme: caps_lots 3 -> 2, CAPS 35 -> 25 (generation 3)")
    code, _, err = desk.ask("caps-lots", "acme", "-5")
    assert (code, err) == (1, "edge: -5: of 2 lots 5 cannot be taken away\n")


def test_a_raise_for_a_time_returns_by_itself(desk, history):
    """Said when it is made, shown while it lasts, and in the journal when it is over."""
    out = desk.say("caps-lots", "acme", "+1", "--until", "2h", "--reason", "fair", "--by", "ops")
    assert "CAPS 5 -> 15 (generation 2); returns by itself at " in out
    assert "returns       caps_lots to 0 at " in desk.say("show", "acme")
    desk.age("acme", 7_199_000)
    assert desk.data("show", "acme")["caps"] == 15
    desk.age("acme", 2_000)
    shown = desk.data("show", "acme")
    assert (shown["caps"], shown["generation"], shown["reverts"]) == (5, 3, [])
    assert [(entry["by"], entry["why"]) for entry in history()][:2] == [("until", "reverted"), ("ops", "fair")]


def test_a_change_for_good_says_that_nothing_returns_any_more(desk):
    """One more lot on top of a raise for a time: the operator is told what it does away with."""
    desk.say("caps-lots", "acme", "+1", "--until", "2h")
    out = desk.say("caps-lots", "acme", "+1", "--dry-run")
    assert out.splitlines()[0] == "dry run: nothing is changed"
    assert "caps_lots was to return to 0 at " in out
    assert desk.data("show", "acme")["values"]["caps_lots"] == 1
    desk.say("caps-lots", "acme", "+1")
    assert desk.data("show", "acme")["reverts"] == []


def test_set_and_history(desk, history):
    """Names of the policy document, amounts in units; before and after stay in the journal with who and why."""
    desk.say("set", "acme", "floor=-100.00", "caps_burst=9", "--reason", "postpaid", "--by", "anna")
    entry = history()[0]
    assert (entry["by"], entry["why"], entry["generation"]) == ("anna", "postpaid", 2)
    assert {value["name"]: (value["before"], value["after"]) for value in entry["values"]} == {
        "floor_micros": ("0", "-100000000"),
        "caps_burst": ("", "9"),
    }
    lines = desk.say("history", "acme").splitlines()
    assert "generation 2, anna: postpaid" in lines[0]
    assert lines[1:3] == ["    caps_burst none -> 9", "    floor 0.00 -> -100.00"]
    assert "created" in lines[-1]


def test_suspend_resume_close(desk):
    """Each says what it did; again, it says so; what is closed stays closed until it is opened on purpose."""
    assert "status active -> suspended, is_cut no -> yes" in desk.say("suspend", "acme", "--cut", "--reason", "abuse")
    assert desk.say("suspend", "acme", "--cut", "--reason", "abuse") == "acme: nothing to change, generation 2\n"
    assert "running calls are cut" in desk.say("show", "acme")
    desk.say("resume", "acme")
    desk.say("close", "acme", "--reason", "contract ended")
    code, _, err = desk.ask("resume", "acme")
    assert (code, err) == (1, "edge: account 'acme' is closed; to open it again: resume acme --reopen\n")
    desk.say("resume", "acme", "--reopen", "--reason", "came back")
    assert desk.data("show", "acme")["values"]["status"] == "active"


def test_top_up_books_once(desk, history):
    """The same reference again books nothing; with another amount it is refused; a correction needs a reason."""
    assert desk.say("top-up", "acme", "12.50", "--reference", "P1") == "acme: balance 20.50 -> 33.00\n"
    again = desk.say("top-up", "acme", "12.50", "--reference", "P1")
    assert again == "acme: reference 'P1' is booked already: nothing changed, balance 33.00\n"
    code, _, err = desk.ask("top-up", "acme", "13", "--reference", "P1")
    assert code == 1
    assert "with another amount, 12.50: nothing was booked" in err
    desk.say("top-up", "acme", "-2.50", "--reference", "C1", "--reason", "typed twice")
    assert desk.data("show", "acme")["balance_micros"] == 30_500_000
    assert history()[0]["why"] == "typed twice"


def test_a_dry_run_changes_nothing(desk):
    """Not a field, not the journal, whatever the command."""
    before = (desk.client.hgetall("{acct:acme}"), desk.client.xlen("{acct:acme}:audit"))
    for words in (
        ("caps-lots", "acme", "+1"),
        ("set", "acme", "floor=-5"),
        ("suspend", "acme", "--reason", "x"),
        ("close", "acme", "--reason", "x"),
        ("top-up", "acme", "5", "--reference", "R"),
        ("create", "other", "caps_base=7"),
    ):
        assert desk.say(*words, "--dry-run").splitlines()[0] == "dry run: nothing is changed"
        assert json.loads(desk.say(*words, "--dry-run", "--json"))["dry_run"] is True
    assert (desk.client.hgetall("{acct:acme}"), desk.client.xlen("{acct:acme}:audit")) == before
    assert desk.ask("show", "other")[0] == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("show", "acne"), 1, "no account 'acne' in the store; near to it: acme"),
        (("show", "a{b"), 2, "expected 1 to 128 printable ASCII characters without braces"),
        (("create", "acme"), 1, "account 'acme' is there, at generation 1; to change it: set acme …"),
        (("create", "x", "--opening", "-1"), 2, "--opening: -1: expected 0.00 to "),
        (("caps-lots", "acme", "many"), 2, "'many': expected +N or -N lots more or less, or N lots in all"),
        (("caps-lots", "acme", "999999"), 1, "expected 0 to 1000000"),
        (("caps-lots", "acme", "+1", "--until", "yesterday"), 1, "--until 'yesterday': expected a time from now, 45m,"),
        (("caps-lots", "acme", "+1", "--until", "2020-01-01T00:00Z"), 1, "that is past; the store's clock says 20"),
        (("caps-lots", "acme", "+1", "--until", "2099-01-01T00:00"), 1, "in which zone?"),
        (("caps-lots", "acme", "+1", "--until", "2099-01-01T00:00Z"), 1, "expected at most ten years from now"),
        (("caps-lots", "acme", "+1", "--generation", "9"), 1, "is at generation 1, not 9: somebody changed it"),
        (("set", "acme"), 2, "Missing argument"),
        (("set", "acme", "status=closed"), 2, "status: use suspend, resume or close"),
        (("set", "acme", "colour=red"), 2, "expected NAME=VALUE with a NAME of caps_base, "),
        (("set", "acme", "floor=1,5"), 2, "expected an amount, at most 6 decimals: floor=12.50"),
        (("set", "acme", "caps_base=-1"), 2, "caps_base=-1: expected a whole number"),
        (("set", "acme", "credit=maybe"), 2, "credit=maybe: expected prepaid, postpaid, none"),
        (("set", "acme", "shadow=speed"), 2, "'speed' is no limit; known: "),
        (("set", "acme", "prefix_ceilings=+33"), 2, "expected PREFIX:CALLS:CAPS"),
        (("set", "acme", "prefix_ceilings=x:1:1"), 1, "'x': expected digits after a plus"),
        (("set", "acme", "floor=1", "floor=2"), 2, "floor: given twice"),
        (("suspend", "acme"), 2, "--reason: suspending an account needs one"),
        (("close", "acme"), 2, "--reason: closing an account needs one"),
        (("top-up", "acme", "5"), 2, "--reference: expected the payment's reference"),
        (("top-up", "acme", "five", "--reference", "R"), 2, "AMOUNT: 'five': expected an amount"),
        (("top-up", "acme", "0", "--reference", "R"), 2, "expected an amount other than zero"),
        (("top-up", "acme", "-1", "--reference", "R"), 2, "--reason: a correction below zero needs one"),
        (("top-up", "nobody", "1", "--reference", "R"), 1, "no account 'nobody' in the store"),
    ],
)
def test_refusals_say_what_was_expected(desk, words, code, told):
    """One sentence on stderr, nothing on stdout, nothing changed."""
    found, out, err = desk.ask(*words)
    assert (found, out) == (code, "")
    assert told in err
    assert desk.client.hget("{acct:acme}", "generation") == "1"


def test_verify_looks_at_every_book(desk):
    """Sound: how many. Damaged by hand: whose, and what does not add up, exit 1."""
    assert desk.say("verify") == "2 books add up\n"
    desk.client.hincrby("{acct:acme}", "balance_micros", 1)
    code, out, err = desk.ask("verify")
    assert (code, out) == (1, "")
    assert err == "edge: of 2 books these do not add up: acme (conservation_of_money)\n"
    assert desk.say("verify", "acme2") == "1 books add up\n"


def test_relative_changes_of_many_operators_all_count(desk):
    """Eight at once, one lot each: compare-and-set, and again on the new values."""
    with ThreadPoolExecutor(4) as pool:
        words = [sys.executable, "-m", "edge", "account", "caps-lots", "acme", "+1", "--redis", desk.url]
        done = list(pool.map(lambda _: subprocess.run(words, cwd=ROOT, capture_output=True, check=False), range(8)))
    assert [one.returncode for one in done] == [0] * 8, [one.stderr for one in done]
    assert desk.data("show", "acme")["values"]["caps_lots"] == 8


def test_a_store_that_is_away_is_told_without_its_password():
    """Where it was looked for, and why it did not answer."""
    words = ["account", "show", "acme", "--redis", "redis://ops:hunter2@127.0.0.1:1/3"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert done.stderr.startswith("edge: the store redis://127.0.0.1:1 db 3: ")
    assert "hunter2" not in done.output


def test_the_embedded_store_of_a_running_edge_is_found_by_its_directory(tmp_path):
    """No edge there: one sentence says what was expected."""
    done = CliRunner().invoke(app, ["account", "list", "--state", str(tmp_path)], env={"EDGE_REDIS": None})
    assert done.exit_code == 1
    assert (
        done.stderr
        == f"edge: no edge with an embedded store runs on {tmp_path}: expected its --state, or --redis URL\n"
    )
    assert os.listdir(tmp_path) == []
