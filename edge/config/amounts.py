"""Amounts of money as an operator writes them. Pure; imports pydantic and this room."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from edge.config.money import parse_money
from limits.rates import MAX_MONEY_MICROS

Money = Annotated[int, BeforeValidator(parse_money), Field(ge=-MAX_MONEY_MICROS, le=MAX_MONEY_MICROS)]
"""Micro-units of an amount in text."""
Credit = Annotated[int, BeforeValidator(parse_money), Field(ge=0, le=MAX_MONEY_MICROS)]
"""The same, not below zero."""
