"""`edge account …` against a real store: every command, every refusal, what is printed and what is not."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from edge.accounts import changes
from edge.accounts.values import Terms
from edge.commands import app
from limits.accounts import AccountStore
from limits.embedded import EmbeddedStore, find_binary
from limits.errors import StaleGeneration
from limits.keys import account_keys
from limits.model import Usage

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
    desk.client.hset(
        names.calls, "u1", f"{now - 65_000} {now - 60_000} {now} 90 1500000 0 0:1000000:1:1:0 - - - 0 edge 1"
    )
    desk.client.hset(names.calls, "u2", f"{now - 5_000} 0 {now} 0 0 0 - - - - 0 edge2")
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
    out = desk.say("caps-lots", "acme", "+1", "--until", "2h", "--reason", "fair", "--by", "ops").splitlines()
    assert out[0] == "acme: caps_lots 0 -> 1, CAPS 5 -> 15 (generation 2)"
    assert (out[1][:28], out[1][-17:]) == ("acme: returns by itself at 2", "Z: caps_lots to 0")
    assert "returns       caps_lots to 0 at " in desk.say("show", "acme")
    desk.age("acme", 7_100_000)
    assert desk.data("show", "acme")["caps"] == 15
    desk.age("acme", 100_000)
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


def test_what_is_in_force_for_a_time_stays_when_it_is_asked_for_for_good(desk, history):
    """Suspended for two hours, then suspended: it does not come back by itself."""
    desk.say("suspend", "acme", "--until", "2h", "--reason", "looked odd")
    out = desk.say("suspend", "acme", "--reason", "is fraud").splitlines()
    assert out[0] == "acme: is suspended already (generation 3)"
    assert out[1].startswith("acme: status was to return to active at ")
    assert out[1].endswith(": now it stays")
    desk.age("acme", 7_201_000)
    assert desk.data("show", "acme")["values"]["status"] == "suspended"
    assert history()[0]["why"] == "is fraud"
    assert "    status stays suspended\n" in desk.say("history", "acme")


def test_a_change_for_a_time_may_last_longer(desk):
    """The same again with a later instant: it returns then, to what was before both."""
    desk.say("caps-lots", "acme", "=2", "--until", "2h")
    out = desk.data("caps-lots", "acme", "=2", "--until", "5h")
    assert (out["changed"], [(one["name"], one["to"]) for one in out["returns"]]) == ({}, [("caps_lots", 0)])
    desk.age("acme", 4 * 3_600_000)
    assert desk.data("show", "acme")["values"]["caps_lots"] == 2
    desk.age("acme", 3_601_000)
    assert desk.data("show", "acme")["values"]["caps_lots"] == 0


def test_resuming_before_the_time_tells_of_no_return(desk):
    """What was to come back is back."""
    desk.say("suspend", "acme", "--until", "2h", "--reason", "x")
    assert desk.say("resume", "acme") == "acme: status suspended -> active (generation 3)\n"
    assert desk.data("show", "acme")["reverts"] == []


def test_set_and_history(desk, history):
    """Names of the policy document, amounts in units; before and after stay in the journal with who and why."""
    desk.say("set", "acme", "floor=-100.00", "caps_burst=9", "--reason", "postpaid", "--by", "anna")
    entry = history()[0]
    assert (entry["by"], entry["why"], entry["generation"]) == ("anna", "postpaid", 2)
    assert {value["name"]: (value["before"], value["after"]) for value in entry["values"]} == {
        "floor_micros": (0, -100_000_000),
        "caps_burst": (None, 9),
    }
    lines = desk.say("history", "acme").splitlines()
    assert "generation 2, anna: postpaid" in lines[0]
    assert lines[1:3] == ["    caps_burst none -> 9", "    floor 0.00 -> -100.00"]
    assert lines[3].endswith(": created")


def test_suspend_resume_close(desk):
    """Each says what it did; again, it says so; what is closed stays closed until it is opened on purpose."""
    assert "status active -> suspended, is_cut no -> yes" in desk.say("suspend", "acme", "--cut", "--reason", "abuse")
    for again in (("--cut",), ()):
        assert desk.say("suspend", "acme", *again, "--reason", "abuse") == "acme: is suspended already, generation 2\n"
    assert "running calls are cut" in desk.say("show", "acme")
    desk.say("resume", "acme")
    desk.say("close", "acme", "--reason", "contract ended")
    code, _, err = desk.ask("resume", "acme")
    assert (code, err) == (1, "edge: account 'acme' is closed; to open it again: resume acme --reopen\n")
    desk.say("resume", "acme", "--reopen", "--reason", "came back")
    assert desk.data("show", "acme")["values"]["status"] == "active"


def test_an_account_with_calls_is_closed_on_purpose_only(desk):
    """Refused with their number; --dry-run shows it all the same; --yes does it; closed again needs nothing."""
    now = int(desk.client.time()[0]) * 1_000
    desk.client.zadd(account_keys("acme").leases, {"u1": now + 600_000, "u2": now + 600_000})
    code, out, err = desk.ask("close", "acme", "--reason", "ended")
    assert (code, out) == (1, "")
    assert err.startswith("edge: account 'acme' has 2 running calls: expected none, or --yes; ")
    assert desk.data("show", "acme")["values"]["status"] == "active"
    assert "status active -> closed" in desk.say("close", "acme", "--reason", "ended", "--dry-run")
    assert "status active -> closed, is_cut no -> yes" in desk.say(
        "close", "acme", "--reason", "ended", "--yes", "--cut"
    )
    assert desk.say("close", "acme", "--reason", "ended") == "acme: is closed already, generation 2\n"


def test_create_tells_what_there_is_now(desk, history):
    """Also with no values at all; the opening balance is in the journal; a group has no credit, a trunk no ceiling."""
    assert desk.say("create", "plain") == "plain: created (generation 1): CAPS 1, 10 calls, prepaid, balance 0.00\n"
    data = desk.data("create", "paid", "caps_base=3", "--opening", "7.25")
    assert (data["caps"], data["balance_micros"], data["values"]["caps_base"]) == (3, 7_250_000, 3)
    assert {one["before"] for one in history()[-1]["values"]} == {None, 0}  # 0: of the balance
    booked = {one["name"]: one["after"] for one in history()[-1]["values"]}
    assert (booked["reference"], booked["amount_micros"], booked["balance_micros"]) == (
        "opening",
        20_500_000,
        20_500_000,
    )
    assert desk.say("history", "acme").splitlines()[1:] == [
        "    reference opening", "    amount 20.50", "    balance 0.00 -> 20.50",
    ]  # fmt: skip
    assert desk.data("create", "group:pool", "calls_base=50")["values"]["credit"] == "none"
    trunk = desk.data("create", "trunk:a", "caps_base=50")
    assert (trunk["caps"], trunk["calls"], trunk["values"]["credit"]) == (50, 1_000_000, "none")


def test_one_spoilt_account_hides_no_other(desk):
    """The others are listed; its own history, which tells who spoilt it, can be read."""
    desk.client.hset("{acct:acme}", "caps_base", "many")
    desk.client.sadd("trunkgate:accounts", "ghost")
    code, out, err = desk.ask("list")
    assert (code, [line.split()[0] for line in out.splitlines()]) == (1, ["ACCOUNT", "acme2"])
    assert [line[:28] for line in err.splitlines()] == ["edge: acme: cannot be read: ", "edge: ghost: cannot be read:"]
    assert "created" in desk.say("history", "acme")


def test_nothing_in_the_journal_moves_the_readers_cursor(desk):
    """Whoever wrote it, with whatever program."""
    desk.client.xadd("{acct:acme}:audit", {"generation": 2, "by": "\x1b[2J", "why": "a\rb", "group": "\x07"})
    assert {"\x1b", "\r", "\x07"} & set(desk.say("history", "acme")) == set()


def test_top_up_books_once(desk, history):
    """The same reference again books nothing; with another amount it is refused; a correction needs a reason."""
    assert desk.say("top-up", "acme", "12.50", "--reference", "P1") == "acme: balance 20.50 -> 33.00\n"
    again = desk.say("top-up", "acme", "12.50", "--reference", "P1")
    assert again == "acme: reference 'P1' is booked already: nothing changed, balance 33.00\n"
    assert (
        desk.say("top-up", "acme", "12.50", "--reference", "P1", "--dry-run") == f"dry run: nothing is changed\n{again}"
    )
    for more in ((), ("--dry-run",)):
        code, _, err = desk.ask("top-up", "acme", "13", "--reference", "P1", *more)
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
        (("caps-lots", "acme", "+1", "--until", "yesterday"), 2, "--until 'yesterday': expected a time from now, 45m,"),
        (("caps-lots", "acme", "+1", "--until", "2020-01-01T00:00Z"), 1, "that is past; the store's clock says 20"),
        (("caps-lots", "acme", "+1", "--until", "2099-01-01T00:00"), 2, "in which zone?"),
        (("caps-lots", "acme", "+1", "--until", "2099-01-01T00:00Z"), 1, "expected at most ten years from now"),
        (("caps-lots", "acme", "+1", "--generation", "9"), 1, "is at generation 1, not 9: somebody changed it"),
        (("caps-lots", "acme", "+1", "--until", "999999w"), 1, "expected at most ten years from now"),
        (
            ("caps-lots", "acme", "+1", "--reason", "two\nlines"),
            2,
            "--reason: expected at most 500 printable characters",
        ),
        (("caps-lots", "acme", "+1", "--by", "\x1b[31m"), 2, "--by: expected at most 100 printable characters"),
        (("caps-lots", "acme", "+1", "--reason", "\udcff"), 2, "on one line, got '\\udcff'"),
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
        (("top-up", "acme", "5", "--reference", "a" * 129), 2, "--reference: expected at most 128 printable"),
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


@pytest.mark.parametrize(
    ("is_relative", "generation", "faster", "found"),
    [
        (True, None, 1, 3), (True, None, 4, 6), (True, None, 5, None), (False, None, 1, None), (True, 1, 1, None),
        (False, None, 0, 2),
    ],
    ids=["again", "and again", "but not for ever", "never what is absolute", "nor what insists", "nobody was faster"],
)  # fmt: skip
async def test_somebody_was_faster(desk, is_relative, generation, faster, found):
    """Between reading and changing others change the account so often: again on what they left, or refused."""
    left = [faster]

    def plan(usage: Usage) -> tuple[dict[str, int], bool]:
        if left[0]:
            left[0] -= 1
            desk.client.hincrby("{acct:acme}", "generation", 1)
        return {"caps_lots": usage.account.caps_lots + 1}, is_relative

    terms = Terms("ops", "fair", generation=generation)
    async with AccountStore(desk.url) as store:
        if found is None:
            with pytest.raises(StaleGeneration):
                await changes.change(store, "acme", plan, terms)
        else:
            assert (await changes.change(store, "acme", plan, terms)).after.generation == found
        assert (await store.read("acme")).caps_lots == (0 if found is None else 1)


def test_two_who_create_one_account(desk):
    """One of them does; the others are told, and change nothing."""
    words = [sys.executable, "-m", "edge", "account", "create", "twin", "--redis", desk.url]

    def create(caps: int) -> int:
        return subprocess.run([*words, f"caps_base={caps}"], cwd=ROOT, capture_output=True, check=False).returncode

    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(create, range(1, 5)))
    assert sorted(codes) == [0, 1, 1, 1]
    found = desk.data("show", "twin")
    assert (found["values"]["caps_base"], found["generation"]) == (codes.index(0) + 1, 1)


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("redis://ops:hunter2@127.0.0.1:1/3", 1, "edge: the store redis://127.0.0.1:1 db 3: "),
        ("redis://:hunter2@127.0.0.1:port", 2, "edge: redis (--redis"),
        ("redis://ops:hun/ter2@127.0.0.1:1", 2, "edge: redis (--redis"),
        ("redis://ops:12/hunter2@127.0.0.1:1", 2, "edge: redis (--redis"),
        ("redis://ops:hun@ter2/hunter2@127.0.0.1:1", 2, "edge: redis (--redis"),
        ("redis://ops:hunter2", 2, "edge: redis (--redis"),
        ("http://ops:hunter2@127.0.0.1", 2, "edge: redis (--redis): expected `embedded` or a URL"),
    ],
)
@pytest.mark.parametrize(
    "command", [("account", "show", "acme"), ("run", "--policy", "none.toml")], ids=["show", "run"]
)
def test_a_store_that_cannot_be_asked_is_told_without_its_password(tmp_path, command, url, code, told):
    """Where it was looked for, and why it did not answer; or what was expected."""
    state = ("--state", str(tmp_path))
    done = CliRunner().invoke(app, [*command, *state, "--redis", url], env={"EDGE_REDIS": None, "EDGE_CONFIG": None})
    assert done.exit_code == code
    assert done.stderr.startswith(told if command[0] == "account" or code == 2 else "edge: ")
    assert {word for word in ("hunter2", "hun", "ter2") if word in done.output} == set()


def test_a_store_that_is_silent_is_given_up(desk):
    """It listens and does not answer: a sentence within seconds, exit 1."""
    process = int(desk.client.info("server")["process_id"])
    os.kill(process, signal.SIGSTOP)
    try:
        code, out, err = desk.ask("show", "acme")
    finally:
        os.kill(process, signal.SIGCONT)
    assert (code, out) == (1, "")
    assert err.startswith(f"edge: the store {desk.url}: Timeout ")


def test_the_store_is_found_as_edge_run_finds_it(desk, tmp_path):
    """Command line over environment over the file of --config or EDGE_CONFIG."""
    config = tmp_path / "edge.toml"
    config.write_text(f'redis = "{desk.url}"\npolicy = "policy.toml"\n')
    nowhere = "unix:///nowhere/s"

    def exit_code(*words: str, **environment: str | None) -> int:
        env = {"EDGE_REDIS": None, "EDGE_STATE": None, "EDGE_CONFIG": None, **environment}
        return CliRunner().invoke(app, ["account", "show", "acme", *words], env=env).exit_code

    assert exit_code("--config", str(config)) == 0
    assert exit_code(EDGE_CONFIG=str(config)) == 0
    assert exit_code(EDGE_REDIS=desk.url) == 0
    assert exit_code("--config", str(config), EDGE_REDIS=nowhere) == 1
    assert exit_code("--redis", desk.url, EDGE_REDIS=nowhere) == 0
    assert exit_code("--config", str(tmp_path / "none.toml")) == 2


async def test_the_embedded_store_of_an_edge_is_found_by_its_directory(tmp_path):
    """As `edge run` starts it."""

    def ask(*words: str) -> str:
        return CliRunner().invoke(app, ["account", *words, "--state", str(tmp_path)], env={"EDGE_REDIS": None}).output

    async with EmbeddedStore(tmp_path / "store"):
        assert (await asyncio.to_thread(ask, "create", "acme")).startswith("acme: created")
        assert (await asyncio.to_thread(ask, "list")).splitlines()[1].startswith("acme ")


def test_no_edge_runs_on_that_directory(tmp_path):
    """No edge there: one sentence says what was expected."""
    done = CliRunner().invoke(app, ["account", "list", "--state", str(tmp_path)], env={"EDGE_REDIS": None})
    assert done.exit_code == 1
    assert (
        done.stderr
        == f"edge: no edge with an embedded store runs on {tmp_path}: expected its --state, or --redis URL\n"
    )
    assert os.listdir(tmp_path) == []
