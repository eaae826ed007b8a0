"""edge.quality.service: its numbers outlive it, and a fault of ours does not end the watch"""

import asyncio
from contextlib import suppress
from pathlib import Path

from edge.proxy.facts import Fact
from edge.quality import numbers
from edge.quality.numbers import Numbers
from edge.quality.service import QualityService


async def test_a_fault_is_told_and_the_watch_goes_on(tmp_path: Path) -> None:
    """Here what it writes its numbers with is broken; the service still runs."""
    told: asyncio.Queue[Fact] = asyncio.Queue()
    service = QualityService(f"unix://{tmp_path}/none", node="n1", home=tmp_path / "q", tell=told.put_nowait)
    service.consumer._tally.counted = "many"
    task = asyncio.create_task(service.run())
    async with asyncio.timeout(20):
        fact = await told.get()
    assert (fact.name, "TypeError" in str(fact.fields["why"]), task.done()) == ("quality.died", True, False)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_numbers_are_added_to_those_of_the_process_before(tmp_path: Path) -> None:
    """Counters of the metrics page do not begin again."""
    numbers.write_numbers(tmp_path, Numbers(10, 1, 2, {"asr": 3}, {"acd": 4}))
    service = QualityService("redis://127.0.0.1:1", node="n1", home=tmp_path, tell=lambda fact: None)
    service._watch.breaches["asr"] = 1
    service._watch.penalties["cli"] = 5
    assert service.numbers() == Numbers(10, 1, 2, {"asr": 4}, {"acd": 4, "cli": 5})


def test_a_file_that_is_none_of_ours_counts_as_none(tmp_path: Path) -> None:
    """Damage on the disk costs the numbers, not the page."""
    assert numbers.read_numbers(tmp_path) == Numbers()
    for text in ("", "[]", '{"counted": "x"}', '{"counted": 1}'):
        (tmp_path / numbers.NUMBERS).write_text(text)
        assert numbers.read_numbers(tmp_path) == Numbers()
