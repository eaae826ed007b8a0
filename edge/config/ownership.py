"""Which numbers an account may present: millions of ranges in a few flat arrays, one look-up a bisection. Pure.

Contract article 9.1.8; Arcep 2025-2215 (the numbers of each customer are listed, and it is held to the list). Ranges
come from the accounts of the policy document and from a file beside it, one a line: `account,first[,last]`. A number is
its digits as an integer; a short number is shorter than any other, so the two never meet.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edge.config.plan import MAX_E164_DIGITS, MAX_SHORT_DIGITS, NumberPlan

MAX_OWNERSHIP_BYTES = 256 * 1024 * 1024
"""Some eight million ranges."""
MAX_LINES = 20_000_000
_MAX_PROBLEMS = 100
_MIN_DIGITS, _MIN_E164_DIGITS = 2, 7
_USUAL_LINE = re.compile(rb"([A-Za-z0-9._-]+),\+([1-9][0-9]{6,14})(?:,\+([1-9][0-9]{6,14}))?\r?\n?")


class OwnershipError(ValueError):
    """Lines that cannot be read: (line, what was expected)."""

    def __init__(self, problems: list[tuple[int, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"line {line}: {text}" for line, text in problems))


class Span(NamedTuple):
    """Where an account's ranges stand in the arrays."""

    begin: int
    end: int


_NONE = Span(0, 0)


class Ownership:
    """The ranges of every account."""

    __slots__ = ("_lasts", "_spans", "_starts")

    def __init__(self, starts: "array[int]", lasts: "array[int]", spans: dict[str, Span]) -> None:
        self._starts = starts
        self._lasts = lasts
        self._spans = spans

    def is_declared(self, account: str) -> bool:
        """Is any list kept for this account?"""
        return account in self._spans

    def owns(self, account: str, number: str) -> bool:
        """May it present this number, in E.164 or a short one? Not, where no list is kept."""
        span = self._spans.get(account)
        if span is None:
            return False
        value = int(number)
        begin, end = span
        place = bisect_right(self._starts, value, begin, end) - 1
        return place >= begin and value <= self._lasts[place]

    def ranges(self, account: str) -> Iterator[tuple[int, int]]:
        """First and last number of each range of this account, in order, none touching another."""
        begin, end = self._spans.get(account, _NONE)
        for place in range(begin, end):
            yield self._starts[place], self._lasts[place]

    def __len__(self) -> int:
        return len(self._starts)


NOBODYS = Ownership(array("Q"), array("Q"), {})
"""No list is kept for anybody."""


class OwnershipBuilder:
    """Collects ranges, then makes the arrays."""

    __slots__ = ("_by_account",)

    def __init__(self) -> None:
        self._by_account: dict[str, tuple[array[int], array[int]]] = {}

    def add(self, account: str, first: int, last: int) -> None:
        """One more range of this account."""
        found = self._by_account.get(account)
        if found is None:
            found = self._by_account[account] = (array("Q"), array("Q"))
        found[0].append(first)
        found[1].append(last)

    def add_text(self, account: str, text: str, plan: NumberPlan) -> None:
        """A number, a range or a prefix as an operator writes it. Raises ValueError."""
        for first, last in read_range(text, plan):
            self.add(account, first, last)

    def add_lines(self, lines: Iterable[bytes], accounts: frozenset[str]) -> None:
        """The lines of a file. Raises OwnershipError with every fault found, up to a hundred."""
        problems: list[tuple[int, str]] = []
        names = {name.encode(): name for name in accounts}
        add = self.add
        usual_line = _USUAL_LINE.fullmatch
        for place, line in enumerate(lines, 1):
            if place > MAX_LINES:
                problems.append((place, f"expected at most {MAX_LINES} lines"))
                break
            usual = usual_line(line)
            if usual is not None:
                name, low, high = usual.groups()
                account = names.get(name)
                if account is not None and (high is None or (low <= high and len(low) == len(high))):
                    first = int(low)
                    add(account, first, first if high is None else int(high))
                    continue
            fault = self._add_odd_line(line, names)
            if fault:
                problems.append((place, fault))
                if len(problems) >= _MAX_PROBLEMS:
                    break
        if problems:
            raise OwnershipError(problems)

    def _add_odd_line(self, line: bytes, names: dict[bytes, str]) -> str:
        """A line that is not three plain fields: blank, a comment, the heading, spaced, or wrong (then why)."""
        text = line.decode("utf-8", "replace").strip("\ufeff \t\r\n")
        if not text or text[0] == "#" or text.replace(" ", "").lower() in ("account,first,last", "account,first"):
            return ""
        fields = [field.strip() for field in text.split(",")]
        if len(fields) not in (2, 3):
            return f"expected account,first[,last], got {text[:80]!r}"
        account = names.get(fields[0].encode())
        if account is None:
            return f"no account named {fields[0][:64]!r}"
        try:
            first = number_of(fields[1])
            last = number_of(fields[2]) if len(fields) == 3 and fields[2] else first
        except ValueError as error:
            return str(error)
        if len(str(first)) != len(str(last)) or first > last:
            return f"expected two numbers of one length, the lower first, got {fields[1]} and {fields[2]}"
        self.add(account, first, last)
        return ""

    def build(self) -> Ownership:
        """The arrays: each account's ranges in order, those that touch made one."""
        starts, lasts = array("Q"), array("Q")
        spans = {}
        while self._by_account:
            account, (firsts, ends) = self._by_account.popitem()
            begin = len(starts)
            for first, last in sorted(zip(firsts, ends, strict=True)):
                if len(starts) > begin and first <= lasts[-1] + 1:
                    lasts[-1] = max(lasts[-1], last)
                else:
                    starts.append(first)
                    lasts.append(last)
            spans[account] = Span(begin, len(starts))
        return Ownership(starts, lasts, spans)


def number_of(text: str) -> int:
    """`+33199001234`, or a short number. Raises ValueError."""
    digits = text.removeprefix("+")
    is_short = digits == text and _MIN_DIGITS <= len(digits) <= MAX_SHORT_DIGITS
    is_long = digits != text and _MIN_E164_DIGITS <= len(digits) <= MAX_E164_DIGITS
    if not (digits.isascii() and digits.isdigit() and digits[0] != "0" and (is_short or is_long)):
        raise ValueError(f"expected a number in E.164 with its plus, or a short one, got {text[:40]!r}")
    return int(digits)


def read_range(text: str, plan: NumberPlan) -> Iterator[tuple[int, int]]:
    """`+33199001234`, `+33199001200..+33199001299`, `+3319900*`, `3000`. Raises ValueError."""
    if text.endswith("*"):
        yield from _read_prefix(text[:-1], plan)
        return
    first, dots, last = text.partition("..")
    low = number_of(first)
    high = number_of(last) if dots else low
    if len(str(low)) != len(str(high)) or low > high:
        raise ValueError(f"expected two numbers of one length, the lower first, got {text[:40]!r}")
    yield low, high


def _read_prefix(prefix: str, plan: NumberPlan) -> Iterator[tuple[int, int]]:
    """Every number that begins so: in a plan we know of its lengths, elsewhere of any."""
    digits = prefix[1:]
    if prefix[:1] != "+" or not (digits.isascii() and digits.isdigit()) or digits[0] == "0" or len(digits) > 14:
        raise ValueError(f"expected a prefix such as +3319900*, got {prefix[:40] + '*'!r}")
    code = plan.code_of(digits)
    if code and plan.extended_prefixes and digits.startswith(plan.extended_prefixes):
        lengths = [len(code) + plan.extended_digits]
    elif code:
        lengths = [len(code) + nsn for nsn in plan.nsn_digits[code]]
    else:
        lengths = list(range(_MIN_E164_DIGITS, MAX_E164_DIGITS + 1))
    for length in sorted(lengths):
        missing = length - len(digits)
        if missing >= 0:
            yield int(digits) * 10**missing, (int(digits) + 1) * 10**missing - 1
