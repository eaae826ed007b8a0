"""A process beside the calls, as the kernel sees it."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from several import until

from edge import children
from edge.endings import end_all
from edge.proxy.facts import Fact

WORDS = """
import os
from edge.children import take_second_place
take_second_place(7, gives_way=%(gives_way)s)
print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_%(policy)s)
"""


@pytest.mark.parametrize("gives_way", [True, False])
def test_it_takes_second_place(gives_way: bool) -> None:
    """Nicer than who started it, and of a policy that does not take a processor from it."""
    words = WORDS % {"gives_way": gives_way, "policy": "IDLE" if gives_way else "BATCH"}
    said = subprocess.run([sys.executable, "-P", "-c", words], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(min(os.nice(0) + 7, 19)), "True"]


def own_children() -> list[int]:
    return [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]


async def test_it_is_in_the_session_of_the_edge_and_not_in_its_process_group() -> None:
    """The kernel looks at its place within one session only; a terminal's signals are for a process group."""
    # Reads its input to the end.
    child = children.Child("fileinput", died="died", finish_s=5.0, tell=lambda fact: None)
    running = asyncio.ensure_future(child.run(lambda why: ""))
    await until(lambda: child.is_up, "the child")
    [pid] = own_children()
    assert (os.getsid(pid), os.getpgid(pid)) == (os.getsid(0), pid)
    await child.stop()
    await end_all([running])


@pytest.mark.parametrize("module", ["edge.cdr.delivery.process", "edge.admin.process"])
async def test_signals_of_a_terminal_are_not_for_it(module: str) -> None:
    """Ctrl-C and a hang-up are the edge's business; nor does it stop where it may not write (stty tostop)."""
    wanted = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTOU}
    child = await asyncio.create_subprocess_exec(sys.executable, "-P", "-m", module, stdin=asyncio.subprocess.PIPE)
    status = Path(f"/proc/{child.pid}/status")
    try:
        await until(lambda: wanted <= ignored(status.read_text()), "a child that is deaf")
    finally:
        assert child.stdin is not None
        child.stdin.close()
    assert await child.wait() == 0, "nobody has told it anything"


def ignored(status: str) -> set[int]:
    mask = int(status.split("SigIgn:")[1].split()[0], 16)
    return {number for number in range(1, 65) if mask >> number - 1 & 1}


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-P", "-c", '''
import sys, time
from edge.children import take_second_place
take_second_place(7, gives_way=True)
print("here", flush=True)
time.sleep(600)
'''], stdin=subprocess.PIPE)
child.wait()
"""


def test_who_gives_way_to_everybody_does_not_outlive_the_edge() -> None:
    """It does not look; whoever waits for what it holds gets it all the same."""
    with subprocess.Popen([sys.executable, "-P", "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "here\n"
        parent.kill()
        assert parent.stdout.read() == "", "the child held the other end, and is gone"


STARVING = """
import asyncio, os, subprocess, sys
from edge import children
children.LOOK_S, children.STARVED_S = 0.1, 1.0
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
children.take_second_place(7, gives_way=True)
async def work():
    while True:
        await asyncio.sleep(0)
async def main():
    asyncio.ensure_future(work())
    await asyncio.wait_for(children.starved(), 60)
try:
    asyncio.run(main())
    print("starved")
finally:
    hog.kill()
    hog.wait()
"""


def test_who_gives_way_to_everybody_finds_that_it_comes_to_nothing() -> None:
    """Another process wants the same processor all the time."""
    said = subprocess.run([sys.executable, "-P", "-c", STARVING], capture_output=True, text=True, check=True).stdout
    assert said == "starved\n"


async def test_the_next_child_is_told_after_the_end_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """`platform` says what this machine is, and ends."""
    monkeypatch.setattr(children, "RESTART_S", 0.0)
    ends: list[str] = []
    again = asyncio.Event()

    def orders(why: str) -> str:
        ends.append(why)
        if len(ends) == 3:
            again.set()
        return "{}"

    child = children.Child("platform", died="died", finish_s=1.0, tell=lambda fact: None)
    running = asyncio.ensure_future(child.run(orders))
    async with asyncio.timeout(30):
        await again.wait()
    await end_all([running])
    await child.stop()
    assert ends == ["", "exit code 0", "exit code 0"]


@pytest.mark.parametrize(("meant", "told"), [(0, ["exit code 2"] * 2), (2, [])], ids=["died", "made_room"])
async def test_who_makes_room_for_the_next_one_has_not_died(
    meant: int, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has said why itself: the next one is started all the same, and is told how this one ended."""
    monkeypatch.setattr(children, "RESTART_S", 0.0)
    facts: list[Fact] = []
    ends: list[str] = []
    third = asyncio.Event()

    def orders(why: str) -> str:
        ends.append(why)
        if len(ends) == 3:
            third.set()
        return ""

    # As a command without its arguments: it ends with 2 at once.
    child = children.Child("zipfile", died="died", finish_s=1.0, tell=facts.append, meant=meant)
    running = asyncio.ensure_future(child.run(orders))
    async with asyncio.timeout(30):
        await third.wait()
    await end_all([running])
    await child.stop()
    assert ends == ["", "exit code 2", "exit code 2"]
    assert ([fact.fields["why"] for fact in facts], child.restarts) == (told, 2)
