"""A whole edge under calls, killed again and again with all that belongs to it: every attempt has its record, once."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

SECONDS = float(os.environ.get("TRUNKGATE_EDGE_KILL_SECONDS", "25"))
FAULTS = (
    "missing",
    "missing_in_stream",
    "twice",
    "twice_in_stream",
    "wrong",
    "charged_but_not_recorded",
    "findings",
    "escaped",
    "ended_by_themselves",
)


def test_an_edge_that_is_killed_at_random_loses_no_record_and_tells_none_twice(tmp_path):
    """As many kills as fit in the time; `scripts/kill-cycles` makes 200. What callers and trunks were told is
    downstream, in files and in a stream, and what accounts were charged is what the records say."""
    program = Path(__file__).with_name("killed_edge.py")
    seed = random.randrange(1 << 30)
    done = subprocess.run(
        [sys.executable, "-P", str(program), str(tmp_path), f"--seconds={SECONDS}", f"--seed={seed}", "--rate=40"],
        capture_output=True,
        text=True,
        timeout=SECONDS + 120,
        env={**os.environ, "PYTHONPATH": str(program.parent)},
    )
    assert done.stdout, (seed, done.stderr[-2_000:])
    found = json.loads(done.stdout)
    assert {name: found[name] for name in FAULTS if found[name]} == {}, seed
    assert found["cycles"] > 3, seed
    assert found["records"] >= found["must_have_a_record"] > 10 * found["cycles"], seed
