"""What a call costs: one function for the hold, the settlement and the CDR. Pure; integers (limits.md section 5).

The arithmetic of scripts/part_price.lua, line for line. Durations are billed in whole seconds on the grid
`first + k x next`, never under the minimum; only answered calls cost anything.
"""

from typing import Final, NamedTuple

MAX_RATE_MICROS: Final = 1_000_000_000
"""Dearest rate per minute, and dearest connect fee: 1,000 units. Keeps every product inside 53 bits."""

MAX_MONEY_MICROS: Final = 100_000_000_000_000
"""Largest balance, floor or cap: 100 million units, for the same reason."""

MAX_INCREMENT_S: Final = 3_600
MAX_PAID_S: Final = 604_800
"""A week: no hold reaches further, whatever the rate."""


class Price(NamedTuple):
    """Price of one destination, in micro-units and whole seconds (contract articles 24.2.3 and 24.2.5)."""

    connect_micros: int
    rate_micros: int
    """Per minute."""
    first_s: int
    """First increment, at least 1."""
    next_s: int
    """Every further increment, at least 1."""
    minimum_s: int
    """Shortest duration that is billed; 0: none."""


def billed_s(price: Price, duration_ms: int) -> int:
    """Seconds billed for an answered call of this length: never under the minimum, rounded up to the grid."""
    wanted_ms = max(duration_ms, price.minimum_s * 1_000)
    over_ms = wanted_ms - price.first_s * 1_000
    if over_ms <= 0:
        return price.first_s
    step_ms = price.next_s * 1_000
    return price.first_s + -(-over_ms // step_ms) * price.next_s


def cost(price: Price, duration_ms: int) -> int:
    """Micro-units an answered call of this length costs: connect + ceil(rate x billed / 60)."""
    return cost_of(price, billed_s(price, duration_ms))


def cost_of(price: Price, seconds: int) -> int:
    """The same of so many seconds billed."""
    return price.connect_micros - (-price.rate_micros * seconds // 60)


def interval_s(price: Price, paid_s: int, quantum_s: int) -> int:
    """Seconds of talk to hold in all, where `paid_s` are held: a quantum more, on the grid."""
    return min(billed_s(price, (paid_s + quantum_s) * 1_000), max(MAX_PAID_S, paid_s))


def affordable_s(price: Price, money_micros: int) -> int:
    """The longest billable talk this money pays, on the grid; 0: not even the shortest."""
    left = money_micros - price.connect_micros
    if left < 0:
        return 0
    longest = MAX_PAID_S if price.rate_micros == 0 else min(MAX_PAID_S, left * 60 // price.rate_micros)
    if longest < billed_s(price, 0):
        return 0
    return price.first_s + (longest - price.first_s) // price.next_s * price.next_s
