"""Faults of a written document in an operator's words: where, what was expected, what was there. Pure.

Shared by everything that reads what an operator writes: the policy document, the settings, a ruleset.
"""

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from edge.config.errors import ConfigError, Problem
from edge.config.fields import WORDS

MAX_DOCUMENT_CHARACTERS = 4 * 1024 * 1024
_SHOWN_CHARACTERS = 80
_PASSWORD = re.compile(r"//[^/@]*@")
_PASSWORD_WORD = re.compile(r"(password\s*=\s*)[^\s'\"]+", re.IGNORECASE)
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


def read_toml(text: str, error_type: type[ConfigError], file_name: str = "") -> Mapping[str, object]:
    """The mapping in a TOML text. Raises `error_type` with the place of the fault."""
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise error_type(
            [Problem(file_name, f"expected at most {MAX_DOCUMENT_CHARACTERS} characters, got {len(text)}")]
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _TOML_PLACE.search(message)
        where = "end of document" if place is None or place.group(1) is None else f"line {place[1]}, column {place[2]}"
        where = f"{file_name}: {where}" if file_name else where
        raise error_type([Problem(where, f"not TOML: {_TOML_PLACE.sub('', message)}")]) from error
    except (RecursionError, ValueError) as error:
        # tomllib descends a call for each bracket, and lets int() refuse a number of thousands of digits.
        raise error_type([Problem(file_name, "not TOML: nested too deeply, or a number without end")]) from error


def path_of(location: tuple[int | str, ...]) -> str:
    """Where a fault is, as an operator writes it: `routes[2].trunks[0]`."""
    path = ""
    for part in location:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def close_or_all(key: str, names: Mapping[str, object]) -> str:
    """What may have been meant by a key nobody knows."""
    close = get_close_matches(key, names, n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"


def details_of(error: ValidationError) -> list[ErrorDetails]:
    """The details worth telling: a list is not also too short because its values were bad."""
    details = error.errors(include_url=False)
    bad_values = {detail["loc"][:-1] for detail in details}
    return [detail for detail in details if not (detail["type"] == "too_short" and detail["loc"] in bad_values)]


def told(sentence: str) -> PydanticCustomError:
    """A fault that is told without the value: it may be a secret, or is many values."""
    return PydanticCustomError("told", "{sentence}", {"sentence": sentence})


def message_of(detail: ErrorDetails, known: str) -> str:
    """The fault in our own words: what was expected, then what was there."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "missing, and it has no default"
    if kind == "extra_forbidden":
        return f"unknown key; {known}" if known else "unknown key"
    if kind == "told":
        return str(context["sentence"])
    if kind == "union_tag_not_found":
        return f"missing: {context['discriminator']}, one of {known}"
    if kind == "union_tag_invalid":
        return f"{context['discriminator']}: expected one of {context['expected_tags']}, got {_shown(context['tag'])}"
    if kind == "value_error":
        expected = str(context["error"])
    elif kind == "string_pattern_mismatch":
        expected = f"expected {WORDS.get(context['pattern'], 'a text of the form ' + context['pattern'])}"
    elif kind in _EXPECTED:
        expected = "expected " + _EXPECTED[kind].format_map(context)
    else:
        expected = "expected " + detail["msg"].removeprefix("Input should be ")
    return f"{expected}, got {_shown(detail['input'])}"


_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "enum": "one of {expected}",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "less_than_equal": "at most {le:.9g}",
    "literal_error": "{expected}",
    "model_type": "a table",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character",
    "string_type": "a text",
    "too_long": "at most {max_length} values",
    "too_short": "at least {min_length} value",
    "tuple_type": "a list",
}
"""What is asked for, by the kind of fault; the rest in the validator's own words."""


def _shown(value: object) -> str:
    text = _PASSWORD_WORD.sub(r"\1***", _PASSWORD.sub("//***@", repr(value)))
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
