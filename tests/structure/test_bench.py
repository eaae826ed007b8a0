"""The load benches: what can be proved of them without load."""

import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import pytest

EDGE_RUN, DELIVERY = 'process 10:"python edge run"', 'process 11:"python -m edge.cdr.delivery.process"'
LIBRARY = "/venv/lib/python3.11/site-packages"


@pytest.fixture
def load(root, monkeypatch):
    """Imports a module of scripts/, which is no package and not installed."""

    def by_name(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(root / "scripts"))
        return importlib.import_module(name)

    return by_name


@pytest.mark.parametrize(
    "name",
    [
        *("bench", "bench-beside", "bench-floor", "bench-flood", "bench-held", "bench-overload", "bench-watch"),
        *("bench-workers", "soak"),
    ],
)
def test_a_bench_says_what_it_does(root, name):
    """Each finds what it shares with the others, and tells its options."""
    # The gates close the folder of a script to its imports; whoever starts one by hand does not.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    command = [sys.executable, root / "scripts" / name, "--help"]
    said = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (0, "") == (said.returncode, said.stderr)
    assert "--edge" in said.stdout


def test_the_core_alone_is_replayed(root):
    """A whole call passes, and each of its steps has its figures: the bench says so itself where it does not."""
    command = [sys.executable, root / "scripts" / "bench-core", "--calls", "2", "--rounds", "1", "--json"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"}
    said = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (0, "") == (said.returncode, said.stderr)
    figures = json.loads(said.stdout)
    assert figures["micros"].keys() == figures["functions"].keys() >= {"invite", "bye 200", "timers", "refusal"}


def test_how_long_a_comparison_takes_is_told_as_it_is_planned(root, load):
    """The minutes of --help are those of the plan with the defaults."""
    compare = load("compare")
    plan = compare.Plan(
        edge=["edge"], rates=(200, 500, 1000, 2000), rounds=3, seconds=8, settle_s=6.0, hold=1000, is_highest=False,
        peer_workers=1, is_refusing_as_edge=False, minutes=40,
    )  # fmt: skip
    text = (root / "scripts" / "bench").read_text()
    told = [int(minutes) for minutes in re.findall(r"about\s+(\d+)\s+minutes", text)]
    assert told
    assert {round(plan.expected_minutes())} == set(told)
    longest = replace(plan, is_highest=True)
    assert f"with --highest\nabout {longest.expected_minutes():.0f};" in text


def test_ratios_are_those_of_the_rounds(load):
    """Each round's edge beside the same round's peer; medians, and how far the rounds lie apart."""
    compared = load("compare")._compared
    assert "200 / 100 = 2.00 (1.50 to 4.00)" == compared([150.0, 200.0, 400.0], [100.0, 100.0, 100.0])
    assert "5 / 2 = 2.50" == compared([5.0], [2.0])
    assert "-" == compared([], [])


def test_samples_are_weighed_by_what_their_thread_cost(load):
    """A thread that is sampled often and takes little counts little; library time goes to who called it."""
    call = f"main ({LIBRARY}/edge/pump.py:1);parse ({LIBRARY}/edge/sip/message.py:9)"
    stacks = (
        f"{EDGE_RUN};{call} 3\n"
        f"{EDGE_RUN};{call};sub (/usr/lib/python3.11/re/__init__.py:8) 1\n"
        f"{EDGE_RUN};Thread._bootstrap (/usr/lib/python3.11/threading.py:3);sync ({LIBRARY}/edge/cdr/writer.py:4) 900\n"
        f"{EDGE_RUN};{DELIVERY};count ({LIBRARY}/limits/tallies.py:2) 50\n"
    )
    costs = {(10, True): 400.0, (10, False): 30.0, (11, True): 70.0, (11, False): 5.0}
    found = load("rooms_profile")._read(stacks, {}, 0.1, costs, {10: "edge run", 11: "delivery"})
    assert {
        "edge/sip": 300.0,
        "standard library, event loop": 100.0,
        "edge/cdr": 30.0,
        "limits": 70.0,
        "not sampled": 5.0,
    } == found.rooms
    assert {"edge/sip": 400.0, "edge/cdr": 30.0, "limits": 70.0} == found.with_libraries
    assert {"edge run": 430.0, "delivery": 75.0} == found.processes
    assert (300.0, 400.0) == tuple(table["edge/sip/message.py `parse`"] for table in (found.functions, found.inclusive))
