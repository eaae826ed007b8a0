"""The command line: what it offers, what it says of mistakes, how fast it answers."""

import json
import os
import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from edge.commands import app
from edge.config.schema import StaticConfig
from edge.config.static import FILE_ONLY
from edge.terminal import FAILED, USAGE
from edge.version import build

PAGE = Path(__file__).parents[3] / "docs" / "commands.md"
POLICY = """
[[accounts]]
id = "acme"
[[ingress]]
id = "acme-pbx"
sources = ["192.0.2.0/24"]
account = "acme"
[[ingress]]
id = "transit"
sources = ["203.0.113.1"]
account_header = "X-Account"
trusted = true
class = "international"
[[egress]]
id = "carrier-a"
uri = "sip:198.51.100.1:5060"
[[routes]]
id = "all"
prefixes = [""]
trunks = ["carrier-a"]
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    return path


def edge(*arguments: str, **environment: str):
    return CliRunner().invoke(app, [*arguments], env=environment)


def options_of(command: str) -> dict[str, str]:
    parameters = get_command(app).commands[command].params
    return {parameter.name: parameter.opts[0] for parameter in parameters}


def test_every_setting_is_an_option():
    """`edge run` offers what StaticConfig has, under the same names, and the file they may be in."""
    expected = {name: "--" + name.replace("_", "-") for name in StaticConfig.model_fields if name not in FILE_ONLY}

    assert options_of("run") == {**expected, "config": "--config"}


def test_the_page_tells_every_command():
    """docs/commands.md has each command in its table."""
    told = set(re.findall(r"^\| `edge (\w+)", PAGE.read_text(), re.MULTILINE))

    assert told == set(get_command(app).commands)


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        ([], {}, ["policy", "--policy", "EDGE_POLICY", "missing"]),
        (["--policy", "p", "--listen", "tcp:1"], {}, ["listen (--listen)", "tcp:HOST:PORT", "'tcp:1'"]),
        (["--policy", "p"], {"EDGE_REDIS": "nowhere"}, ["redis (EDGE_REDIS)", "embedded", "'nowhere'"]),
        (["--policy", "p", "--max-calls", "many"], {}, ["max_calls (--max-calls)", "'many'"]),
        (["--policy", "p", "--config", "/nowhere"], {}, ["--config / EDGE_CONFIG", "/nowhere", "No such file"]),
        (["--policy", "p"], {"EDGE_CONFIG": "/nowhere"}, ["--config / EDGE_CONFIG", "/nowhere"]),
        (["--polcy", "p"], {}, ["--polcy"]),
    ],
)
def test_a_wrong_option_names_itself(arguments, environment, named):
    """Which option, where it came from, what was there, what was expected; exit code 2; nothing is started."""
    result = edge("run", *arguments, **environment)

    assert result.exit_code == USAGE
    assert [part for part in named if part not in result.stderr] == []


def test_a_wrong_key_of_the_file_names_file_and_key(tmp_path):
    """The third place an option may come from is named too."""
    file = tmp_path / "edge.toml"
    file.write_text("policy = 'p'\nlog = 'loud'\n")
    result = edge("run", "--config", str(file))

    assert result.exit_code == USAGE
    assert f"log ({file}: log)" in result.stderr


def test_a_policy_that_is_not_there_stops_the_start(tmp_path):
    """One sentence, exit code 1."""
    result = edge(
        "run", "--policy", str(tmp_path / "none.toml"), "--state", str(tmp_path), "--listen", "udp:127.0.0.1:0"
    )

    assert result.exit_code == FAILED
    assert result.stderr.startswith(f"edge: {tmp_path / 'none.toml'}: cannot be read")


def test_a_sound_policy_is_told_in_one_line(policy):
    """What it holds, in numbers."""
    result = edge("check", str(policy))

    assert result.exit_code == 0
    assert re.fullmatch(
        rf"{policy}: sound: 1 accounts, 2 ingress trunks, 1 egress trunks, 1 route prefixes, \d+ CLI rules\n",
        result.stdout,
    )


def test_a_broken_policy_is_told_fault_by_fault(policy):
    """Each exact place on a line of its own; exit code 1."""
    policy.write_text(POLICY.replace('"carrier-a"]', '"carrier-x"]').replace('account = "acme"', 'account = "acmee"'))
    result = edge("check", str(policy))
    lines = result.stderr.splitlines()

    assert (result.exit_code, result.stdout) == (FAILED, "")
    assert [line.startswith(f"edge: {policy}: ") for line in lines] == [True, True]
    assert "routes[0].trunks[0]" in result.stderr


@pytest.mark.parametrize("command", [("check",), ("policy", "check")])
@pytest.mark.parametrize("is_directory", [False, True])
def test_checking_by_either_name(policy, command, is_directory):
    """`edge policy check` is `edge check`: a file or the directory it is in, for people and for machines, and a fault
    with its place and exit code 1."""
    given = str(policy.parent if is_directory else policy)
    sound = edge(*command, given)
    found = json.loads(edge(*command, given, "--json").stdout)

    assert (sound.exit_code, sound.stdout.startswith(f"{given}: sound: 1 accounts")) == (0, True)
    assert (found["sound"], found["problems"], found["accounts"], found["egress"]) == (True, [], 1, 1)

    policy.write_text(POLICY.replace("prefixes", "prefixs"))
    broken = edge(*command, given)
    told = edge(*command, given, "--json")
    assert (broken.exit_code, broken.stdout) == (FAILED, "")
    assert "routes[0].prefixs" in broken.stderr
    assert told.exit_code == FAILED
    assert json.loads(told.stdout)["sound"] is False
    assert edge(*command, str(policy.parent / "none.toml")).exit_code == FAILED


@pytest.mark.parametrize(
    ("days", "noted"), [("365", False), ("366", False), ("1", False), ("367", True), ("400", True), ("0", True)]
)
def test_records_kept_longer_than_the_contract_allows(policy, days, noted):
    """Contract article 6.7: twelve months at most; it is said, and is no fault."""
    settings = policy.parent / "run.toml"
    settings.write_text(f"cdr_keep_days = {days}\n")
    result = edge("check", str(policy), "--config", str(settings))
    told = json.loads(edge("check", str(policy), "--config", str(settings), "--json").stdout)

    assert result.exit_code == 0
    assert ("note: cdr_keep_days: " in result.stdout, bool(told["notes"])) == (noted, noted)
    assert ("contract article 6.7" in result.stdout) is noted


def test_settings_that_cannot_be_read_are_told(policy):
    """The file beside the policy is checked as `edge run` reads it."""
    settings = policy.parent / "run.toml"
    settings.write_text("cdr_keep_days = -1\n")
    result = edge("check", str(policy), "--config", str(settings))

    assert (result.exit_code, "cdr_keep_days" in result.stderr) == (USAGE, True)


EXPLAINED = ["--from", "+33123456789", "--to", "0612345678"]


def test_an_attempt_is_explained_to_its_trunks(policy):
    """Stage by stage, and where it would go."""
    result = edge("explain", "--policy", str(policy), "--source", "192.0.2.7", *EXPLAINED)

    assert result.exit_code == 0
    assert "acme-pbx" in result.stdout
    assert "carrier-a" in result.stdout
    assert "policy lets it pass; what the limits say is not known: no edge with an embedded" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--source", "198.18.0.1"], "refused: 403 .* \\(unknown_source, .*\\)"),
        (["--source", "203.0.113.1", "--account-header", "acme"], "refused: 403 .* \\(cli_refused, Q.850 cause 21\\)"),
        (["--source", "203.0.113.1", "--account-header", "nobody"], "refused: 403 .* \\(unknown_account, .*\\)"),
    ],
)
def test_a_refusal_is_explained_with_its_answer(policy, arguments, expected):
    """Status, phrase, token and cause of what the caller would be told."""
    result = edge("explain", "--policy", str(policy), *arguments, *EXPLAINED)

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line for line in lines if re.fullmatch(expected, line)], lines
    assert [line.split()[0:2] for line in lines[-2:]] == [["rests", "on"], ["in", "words"]]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--source", "192.0.2.7", "--account-header", "acme"], "192.0.2.7 belongs to no ingress trunk that names"),
        (["--source", "203.0.113.1", "--account-header", "a\r\nb"], "no such call can be made"),
        (["--source", "203.0.113.1", "--privacy", "a\r\nb"], "no such call can be made"),
        (["--source", "203.0.113.1", "--header", "novalue"], "--header: expected NAME=VALUE, got 'novalue'"),
        (["--source", "203.0.113.1", "--at", "soon"], "--at: expected an instant as 2026-08-11"),
        (["--source", "203.0.113.1", "--trunk", "transit"], "either --source or --trunk; or --call UID"),
        ([], "expected --from, --to and either --source or --trunk"),
        (["--call", "u1"], "--call: expected it without --from"),
    ],
)
def test_an_attempt_that_cannot_be_made_is_a_usage_error(policy, arguments, expected):
    """The option is named; exit code 2."""
    result = edge("explain", "--policy", str(policy), *arguments, *EXPLAINED)

    assert result.exit_code == USAGE
    assert expected in result.stderr
    assert result.stdout == ""


def test_a_trunk_stands_for_its_address(policy):
    """An operator knows the trunk's name; one that is not there is told with those that are."""
    found = edge("explain", "--policy", str(policy), "--trunk", "acme-pbx", *EXPLAINED)
    missing = edge("explain", "--policy", str(policy), "--trunk", "acme", *EXPLAINED)

    assert found.stdout.startswith("identify      192.0.2.1 is ingress trunk acme-pbx")
    assert (missing.exit_code, missing.stderr) == (
        FAILED,
        "edge: no ingress trunk named 'acme'; known: acme-pbx, transit\n",
    )


NAMED = """
[[ingress]]
id = "named"
tls_names = ["sip.peer.example"]
account = "acme"

[[ingress]]
id = "phones"
sources = ["192.0.3.0/24"]
digest = true

[[credentials]]
id = "acme-1"
account = "acme"
md5 = "00000000000000000000000000000000"
"""


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        (["--source", "198.18.0.1", "--tls-name", "sip.peer.example"],
         "198.18.0.1, proved tls:sip.peer.example is ingress trunk named", "policy lets it pass"),
        (["--trunk", "named"], "192.0.2.1, proved tls:sip.peer.example is ingress trunk named", "policy lets it pass"),
        (["--trunk", "phones", "--username", "acme-1"],
         "192.0.3.1, proved digest:acme-1 is ingress trunk phones", "policy lets it pass"),
        (["--trunk", "phones", "--username", "me"], "192.0.3.1, proved digest:me is ingress", "unknown_account"),
        (["--trunk", "phones"], "192.0.3.1 is ingress trunk phones", "credentials_missing"),
    ],
)  # fmt: skip
def test_what_a_caller_has_proved(policy, words, first, last):
    """A name of its certificate, a user name: said by the operator, as nobody can prove anything here."""
    policy.write_text(policy.read_text() + NAMED)
    result = edge("explain", "--policy", str(policy), *words, *EXPLAINED)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"identify      {first}")
    assert last in result.stdout


def test_an_attempt_may_lie_in_the_past(policy):
    """The law of its instant is asked: a French mobile from abroad passed until 2025 and is masked since."""
    words = ("--policy", str(policy), "--trunk", "transit", "--account-header", "acme", "--from", "0639981234")
    before = edge("explain", *words, "--to", "0261910000", "--at", "2025-12-31")
    after = edge("explain", *words, "--to", "0261910000", "--at", "2026-01-02T09:30Z")

    assert "mask +33639981234" not in before.stdout
    assert "mask +33639981234" in after.stdout


def test_an_explanation_for_machines(policy):
    """Every stage with its rule and what it rests on, the answer, the sentence."""
    words = ("--policy", str(policy), "--trunk", "transit", "--account-header", "acme", *EXPLAINED, "--json")
    told = json.loads(edge("explain", *words).stdout)

    assert [step["refused"] for step in told["steps"]][-1] == "cli_refused"
    assert (told["status"], told["q850"], told["reason"]) == (403, 21, "cli_refused")
    assert told["rests_on"] == told["steps"][-1]["basis"]
    assert told["rests_on"].startswith("law: ")
    assert told["in_words"].startswith("The caller number +33123456789 may not be presented")


@pytest.mark.parametrize(
    "target", ["127.0.0.1:5060", "sctp:127.0.0.1:5060", "udp:127.0.0.1", "udp:127.0.0.1:0", "udp:"]
)
def test_a_wrong_target_of_a_ping_is_told(target):
    """What was expected, what was there."""
    result = edge("ping", target)

    assert result.exit_code == USAGE
    assert result.stderr == f"edge: TARGET: expected udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT, got {target!r}\n"


def test_certificates_are_for_tls():
    """Whoever names some for another transport has mistyped the target."""
    result = edge("ping", "tcp:127.0.0.1:5060", "--ca", "ca.pem")

    assert (result.exit_code, result.stderr) == (USAGE, "edge: --ca, --certificate and --name are for tls: targets\n")


def test_the_version_tells_what_runs():
    """Version, form, interpreter, loop, machine: what a fault report needs. And the form is the one to be tested."""
    result = edge("--version")
    form = r"compiled \(mypyc\)" if os.environ.get("TRUNKGATE_TESTS_COMPILED") else "pure Python"

    assert result.exit_code == 0
    assert re.match(rf"trunkgate \d+\.\d+\.\d+\S*, {form}\nCPython 3\.\d+\.\d+ \(.+\), uvloop ", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'--enable-optimizations' '--with-lto'", ["PGO", "LTO"]),
        ("'--with-lto'", ["LTO"]),
        ("'--enable-shared'", []),
        ("", []),
    ],
)
def test_the_build_of_the_interpreter_is_told_as_far_as_it_is_known(arguments, expected):
    """The compiler always, optimisation where it is recorded."""
    compiler, *told = build(arguments).split(", ")

    assert compiler
    assert told == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_completion(shell):
    """The script that a package ships, by the name it is asked for."""
    result = CliRunner().invoke(app, [], prog_name="edge", env={"_EDGE_COMPLETE": f"source_{shell}"})
    assert (result.exit_code, "_EDGE_COMPLETE=complete_" + shell in result.output) == (0, True)


def test_commands_are_completed():
    """As far as they are plain."""
    words = {"_EDGE_COMPLETE": "complete_bash", "COMP_WORDS": "edge calls ", "COMP_CWORD": "2"}
    result = CliRunner().invoke(app, [], prog_name="edge", env=words)
    assert result.output.split() == ["list", "show", "hangup"]


def commands_in(command, path=()):
    """(words, command) of every command there is."""
    for name, one in getattr(command, "commands", {}).items():
        yield from commands_in(one, (*path, name))
    if not hasattr(command, "commands"):
        yield " ".join(path), command


FOR_PEOPLE = {"run", "admin", "demo", "secret", "policy export", "audit export", "token revoke"}
"""What serves, shows, or writes a text of its own form."""


def test_every_command_speaks_to_machines():
    """`--json`, or another form that is asked for by name."""
    silent = {
        words
        for words, command in commands_in(get_command(app))
        if not {"--json", "--format"} & {option for parameter in command.params for option in parameter.opts}
    }
    assert silent <= FOR_PEOPLE


def test_a_faulty_document_is_told_to_machines_too(tmp_path, policy):
    """Each fault with its place; the exit code is the same."""
    good = edge("check", str(policy), "--json")
    assert (good.exit_code, json.loads(good.stdout)["egress"]) == (0, 1)
    policy.write_text(POLICY.replace('trunks = ["carrier-a"]', 'trunks = ["carrier-b"]'))
    bad = edge("check", str(policy), "--json")
    found = json.loads(bad.stdout)
    assert (bad.exit_code, found["sound"]) == (FAILED, False)
    assert found["problems"][0]["path"].endswith("routes[0].trunks[0]")
