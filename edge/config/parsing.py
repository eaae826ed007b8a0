"""From what an operator wrote to frozen models, with the exact place of every fault; unknown keys are refused.

Pure: text and mappings in. `parse_policy` for a policy document; `read_static` merges the three places an option of the
process may come from: command line over environment over file over default.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edge.config.accounts import PrefixCeilingEntry
from edge.config.errors import ConfigError, PolicyError, Problem, StaticConfigError
from edge.config.fields import WORDS
from edge.config.references import check_references
from edge.config.schema import (
    AccountEntry,
    CategoryEntry,
    CliCondition,
    CliRuleEntry,
    EgressEntry,
    GroupEntry,
    IngressEntry,
    Methods,
    Numbers,
    PolicyDocument,
    RefusalEntry,
    RefusalProfileEntry,
    RouteEntry,
    Strangers,
)
from edge.config.static import StaticConfig

MAX_DOCUMENT_CHARACTERS = 4 * 1024 * 1024
MAX_PROBLEMS = 100
"""Faults told at once; a reader has enough with fewer."""
ENVIRONMENT_PREFIX = "EDGE_"
_SHOWN_CHARACTERS = 80
_PASSWORD = re.compile(r"//[^/@]*@")
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")

_SHAPES: Mapping[str, type[BaseModel]] = {
    "": PolicyDocument,
    "accounts": AccountEntry,
    "accounts.prefix_ceilings": PrefixCeilingEntry,
    "groups": GroupEntry,
    "ingress": IngressEntry,
    "egress": EgressEntry,
    "routes": RouteEntry,
    "cli_rules": CliRuleEntry,
    "cli_rules.when": CliCondition,
    "categories": CategoryEntry,
    "numbers": Numbers,
    "refusal_profiles.*": RefusalProfileEntry,
    "refusal_profiles.*.answers.*": RefusalEntry,
    "strangers": Strangers,
    "methods": Methods,
}
"""Which model stands at which place: to name the keys that are known there."""


def parse_policy(text: str) -> PolicyDocument:
    """A policy document from TOML. Raises PolicyError with every fault found."""
    return policy_from(_toml(text, PolicyError))


def policy_from(mapping: Mapping[str, object]) -> PolicyDocument:
    """A policy document from a mapping as TOML or JSON gives it. Raises PolicyError with every fault found."""
    try:
        document = PolicyDocument.model_validate(mapping)
    except ValidationError as error:
        details = _problems(error)[:MAX_PROBLEMS]
        raise PolicyError(
            Problem(_path(detail["loc"]), _message(detail, _known_keys(detail))) for detail in details
        ) from error
    problems = check_references(document)
    if problems:
        raise PolicyError(problems[:MAX_PROBLEMS])
    return document


def read_static(
    *,
    command_line: Mapping[str, object],
    environment: Mapping[str, str],
    file_text: str | None = None,
    file_name: str = "",
) -> StaticConfig:
    """The settings of this process: command line over environment over file over default.

    `command_line` holds only what was given there (None and empty lists count as not given). Of `environment` only
    EDGE_… is read: lists separated by commas. Raises StaticConfigError; each problem names the option, where it came
    from, its value and what was expected."""
    file = {} if file_text is None else _toml(file_text, StaticConfigError, file_name)
    options = StaticConfig.model_fields
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for option in options:
        name = ENVIRONMENT_PREFIX + option.upper()
        given = command_line.get(option)
        if given is not None and given not in ((), []):
            values[option], origins[option] = given, "--" + option.replace("_", "-")
        elif environment.get(name, "") != "":
            text = environment[name]
            values[option] = [part.strip() for part in text.split(",")] if option == "listen" else text
            origins[option] = name
        elif option in file:
            values[option], origins[option] = file[option], f"{file_name}: {option}"
    problems = [
        Problem(f"{key} ({file_name}: {key})", f"unknown key; {_known(key, options)}")
        for key in file
        if key not in options
    ]
    problems += _mistyped_environment(environment)
    try:
        config = StaticConfig.model_validate(values)
    except ValidationError as error:
        for detail in _problems(error):
            option = str(detail["loc"][0])
            everywhere = (
                f"--{option.replace('_', '-')} / {ENVIRONMENT_PREFIX}{option.upper()} / {file_name or 'file'}: {option}"
            )
            problems.append(Problem(f"{option} ({origins.get(option, everywhere)})", _message(detail, "")))
        raise StaticConfigError(problems) from error
    if config.renew_s * 3 > config.lease_s:
        option = "renew_s" if "renew_s" in origins or "lease_s" not in origins else "lease_s"
        expected = f"expected renew_s at most a third of lease_s, got {config.renew_s:g} and {config.lease_s:g}"
        problems.append(Problem(f"{option} ({origins.get(option, 'default')})", expected))
    if 0 < config.session_expires_s < config.min_session_s:
        option = "session_expires_s" if "session_expires_s" in origins else "min_session_s"
        found = f"got {config.session_expires_s} and {config.min_session_s}"
        expected = f"expected session_expires_s 0 or at least min_session_s, {found}"
        problems.append(Problem(f"{option} ({origins.get(option, 'default')})", expected))
    if problems:
        raise StaticConfigError(problems)
    return config


def _mistyped_environment(environment: Mapping[str, str]) -> Iterator[Problem]:
    """EDGE_LISTENS is a mistake; EDGE_PORT_5060_UDP is a container platform's own and no business of ours."""
    known = [ENVIRONMENT_PREFIX + option.upper() for option in StaticConfig.model_fields] + ["EDGE_CONFIG"]
    for name in environment:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.85)
            if close:
                yield Problem(name, f"unknown environment variable; did you mean {close[0]}?")


def _toml(text: str, error_type: type[ConfigError], file_name: str = "") -> Mapping[str, object]:
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


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _known_keys(detail: ErrorDetails) -> str:
    """What may stand where an unknown key was found."""
    if detail["type"] != "extra_forbidden":
        return ""
    names = [part for part in detail["loc"][:-1] if not isinstance(part, int)]
    shape = ".".join(
        "*" if index % 2 and names[0] == "refusal_profiles" else str(name) for index, name in enumerate(names)
    )
    model = _SHAPES.get(shape)
    return (
        ""
        if model is None
        else _known(str(detail["loc"][-1]), {f.alias or n: 0 for n, f in model.model_fields.items()})
    )


def _known(key: str, names: Mapping[str, object]) -> str:
    close = get_close_matches(key, names, n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"


def _problems(error: ValidationError) -> list[ErrorDetails]:
    """The details worth telling: a list is not also too short because its values were bad."""
    details = error.errors(include_url=False)
    bad_values = {detail["loc"][:-1] for detail in details}
    return [detail for detail in details if not (detail["type"] == "too_short" and detail["loc"] in bad_values)]


def _message(detail: ErrorDetails, known: str) -> str:
    """The fault in our own words: what was expected, then what was there."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "missing, and it has no default"
    if kind == "extra_forbidden":
        return f"unknown key; {known}" if known else "unknown key"
    if kind == "value_error":
        expected = str(context["error"])
    elif kind == "string_pattern_mismatch":
        expected = f"expected {WORDS[context['pattern']]}"
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
    text = _PASSWORD.sub("//***@", repr(value))
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
