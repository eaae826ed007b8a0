"""Ranges of account names: `acc0000..acc0999`. Pure; standard library only."""

import re

_TAIL = re.compile(r"[0-9]{1,9}\Z")


def range_size(text: str) -> int:
    """How many names an account entry stands for. Raises ValueError for two ends that make no range."""
    first, dots, last = text.partition("..")
    if not dots:
        return 1
    begin, end = _TAIL.search(first), _TAIL.search(last)
    if begin is None or end is None or first[: begin.start()] != last[: end.start()] or len(first) != len(last):
        raise ValueError(
            f"expected two names that differ in their final digits only, such as acc00..acc99, got {text!r}"
        )
    size = int(end.group()) - int(begin.group()) + 1
    if size < 1:
        raise ValueError(f"expected the lower name first, got {text!r}")
    return size


def expand(text: str) -> list[str]:
    """The names of an account entry, in order."""
    size = range_size(text)
    if size == 1:
        return [text.partition("..")[0]]
    first = text.partition("..")[0]
    tail = _TAIL.search(first)
    assert tail is not None
    head, width, start = first[: tail.start()], len(tail.group()), int(tail.group())
    return [f"{head}{start + step:0{width}d}" for step in range(size)]
