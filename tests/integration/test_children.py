"""A process beside the calls, as the kernel sees it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = """
import os, pathlib
from edge.children import take_second_place
take_second_place(7, gives_way=%(gives_way)s)
autogroup = pathlib.Path("/proc/self/autogroup")
print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_%(policy)s, autogroup.read_text() if autogroup.exists() else "")
"""


@pytest.mark.parametrize("gives_way", [True, False])
@pytest.mark.parametrize("is_session", [True, False])
def test_it_takes_second_place_and_its_session_with_it(is_session: bool, gives_way: bool) -> None:
    """Niceness counts within a session only, where the kernel shares processors among sessions first. A session that is
    not its own alone is left as it is."""
    autogroup = Path("/proc/self/autogroup")
    ours = autogroup.read_text() if autogroup.exists() else ""

    words = WORDS % {"gives_way": gives_way, "policy": "IDLE" if gives_way else "BATCH"}
    said = subprocess.run(
        [sys.executable, "-P", "-c", words], start_new_session=is_session, capture_output=True, text=True, check=True
    ).stdout.split()

    assert said[:2] == [str(min(os.nice(0) + 7, 19)), "True"]
    # A kernel that does not group by session has no such file, or an empty one.
    assert said[4:] == (["7"] if ours and is_session else ours.split()[2:])
    assert not autogroup.exists() or autogroup.read_text() == ours
