"""`edge cdr find`: records by number in any spelling, by Call-ID, by uid, as the API finds them."""

import json
import subprocess
import sys
from pathlib import Path

from edges import CALLED, CLI, calling, policy, running
from several import until

from edge.agents import Trunk


def find(state: Path, *words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "edge", "cdr", "find", "--state", str(state), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_a_record_is_found_by_what_a_customer_knows_of_it(tmp_path: Path) -> None:
    """Any spelling of its number; what is given must all be so; nothing found is told."""
    trunk = await Trunk.at("127.0.0.1", ring_s=0.01)
    (tmp_path / "policy.toml").write_text(policy(trunk))
    async with running(tmp_path) as node, calling(node) as caller:
        for _ in range(2):
            await caller.call(CLI, CALLED, talk_s=0.05)
        await until(lambda: len(node.records()) == 2, "both records")
        newest = node.records()[1]
    trunk.close()
    state = tmp_path / "state"
    assert [one["seq"] for one in json.loads(find(state, "--number", "0033 170 00 00 01", "--json"))] == [2, 1]
    assert [one["seq"] for one in json.loads(find(state, "--number", CALLED, "--limit", "1", "--json"))] == [2]
    for words in (("--uid", newest["uid"]), ("--call-id", newest["call_id"], "--account", "acme")):
        (found,) = json.loads(find(state, *words, "--json"))
        assert found["uid"] == newest["uid"]
    assert "acme" in find(state, "--trunk", "out")
    assert "no such record in the log of n1" in find(state, "--number", "+4930999", code=1)
