"""From what an operator wrote to frozen models, with the exact place of every fault; unknown keys are refused.

Pure: text and mappings in. `parse_policy` for a policy document; `read_static` merges the three places an option of the
process may come from: command line over environment over file over default.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edge.config.access import OidcSettings, is_loopback
from edge.config.accounts import AccountCli, PrefixCeilingEntry
from edge.config.alerts import AlertSettings, AlertWebhook
from edge.config.destinations import BarringEntry, DestinationEntry, GuardEntry
from edge.config.dialling import RewriteEntry
from edge.config.errors import PolicyError, Problem, StaticConfigError
from edge.config.faults import MAX_DOCUMENT_CHARACTERS as MAX_DOCUMENT_CHARACTERS
from edge.config.faults import close_or_all, details_of, message_of, path_of, read_toml
from edge.config.login import LoginEntry, RegistrationEntry
from edge.config.quality import Billing, Penalties, Quality, QualityRuleEntry
from edge.config.references import check_references
from edge.config.restraint import GuardTrunkEntry, ThrottleEntry
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
from edge.config.sinks import KINDS, CdrSettings
from edge.config.static import FILE_ONLY, StaticConfig
from edge.config.telemarketing import (
    AttemptsEntry,
    Calling,
    ConsentsEntry,
    HoursEntry,
    NumberCeiling,
    PingCalls,
    RefusalsEntry,
    Telemarketing,
)

MAX_PROBLEMS = 100
"""Faults told at once; a reader has enough with fewer."""
ENVIRONMENT_PREFIX = "EDGE_"
_LISTS = frozenset({"listen", "tls_certificates", "dns", "admin_proxies", "metrics_accounts"})
"""Options that may be given several times; in the environment separated by commas."""

_SHAPES: Mapping[str, type[BaseModel]] = {
    "": PolicyDocument,
    "accounts": AccountEntry,
    "accounts.cli": AccountCli,
    "accounts.prefix_ceilings": PrefixCeilingEntry,
    "groups": GroupEntry,
    "ingress": IngressEntry,
    "egress": EgressEntry,
    "egress.called": RewriteEntry,
    "egress.login": LoginEntry,
    "egress.registration": RegistrationEntry,
    "egress.guard": GuardTrunkEntry,
    "egress.throttle": ThrottleEntry,
    "routes": RouteEntry,
    "cli_rules": CliRuleEntry,
    "cli_rules.when": CliCondition,
    "categories": CategoryEntry,
    "numbers": Numbers,
    "accounts.calling": Calling,
    "accounts.calling.number_ceiling": NumberCeiling,
    "telemarketing": Telemarketing,
    "telemarketing.hours": HoursEntry,
    "telemarketing.attempts": AttemptsEntry,
    "telemarketing.refusals": RefusalsEntry,
    "telemarketing.consents": ConsentsEntry,
    "ping_calls": PingCalls,
    "destinations": DestinationEntry,
    "barring": BarringEntry,
    "guards": GuardEntry,
    "refusal_profiles.*": RefusalProfileEntry,
    "refusal_profiles.*.answers.*": RefusalEntry,
    "strangers": Strangers,
    "methods": Methods,
    "quality": Quality,
    "quality.rules": QualityRuleEntry,
    "penalties": Penalties,
    "billing": Billing,
    "cdr": CdrSettings,
    "oidc": OidcSettings,
    "alerts": AlertSettings,
    "alerts.webhooks": AlertWebhook,
    **{f"cdr.sinks.{kind}": entry for kind, entry in KINDS.items()},
}
"""Which model stands at which place: to name the keys that are known there."""


def parse_policy(text: str) -> PolicyDocument:
    """A policy document from TOML. Raises PolicyError with every fault found."""
    return policy_from(read_toml(text, PolicyError))


def policy_from(mapping: Mapping[str, object]) -> PolicyDocument:
    """A policy document from a mapping as TOML or JSON gives it. Raises PolicyError with every fault found."""
    try:
        document = PolicyDocument.model_validate(mapping)
    except ValidationError as error:
        details = details_of(error)[:MAX_PROBLEMS]
        raise PolicyError(
            Problem(path_of(detail["loc"]), message_of(detail, _known_keys(detail))) for detail in details
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
    file = {} if file_text is None else read_toml(file_text, StaticConfigError, file_name)
    options = StaticConfig.model_fields
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for option in options:
        name = ENVIRONMENT_PREFIX + option.upper()
        given = command_line.get(option)
        if option in FILE_ONLY:
            if option in file:
                values[option] = file[option]
        elif given is not None and given not in ((), []):
            values[option], origins[option] = given, "--" + option.replace("_", "-")
        elif environment.get(name, "") != "":
            text = environment[name]
            values[option] = [part.strip() for part in text.split(",")] if option in _LISTS else text
            origins[option] = name
        elif option in file:
            values[option], origins[option] = file[option], f"{file_name}: {option}"
    problems = [
        Problem(f"{key} ({file_name}: {key})", f"unknown key; {close_or_all(key, options)}")
        for key in file
        if key not in options
    ]
    problems += _mistyped_environment(environment)
    try:
        config = StaticConfig.model_validate(values)
    except ValidationError as error:
        for detail in details_of(error):
            option = str(detail["loc"][0])
            if option in FILE_ONLY:
                place = path_of(_without_kind(detail["loc"]))
                known = ", ".join(KINDS) if detail["type"] == "union_tag_not_found" else _known_keys(detail)
                problems.append(Problem(f"{place} ({file_name})", message_of(detail, known)))
                continue
            everywhere = (
                f"--{option.replace('_', '-')} / {ENVIRONMENT_PREFIX}{option.upper()} / {file_name or 'file'}: {option}"
            )
            problems.append(Problem(f"{option} ({origins.get(option, everywhere)})", message_of(detail, "")))
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
    without = next((listen.name for listen in config.listen if listen.transport == "tls"), "")
    if without and not config.tls_certificates:
        expected = f"expected tls_certificates beside {without}: a TLS listener shows one"
        problems.append(Problem(f"listen ({origins.get('listen', 'default')})", expected))
    is_plain = config.admin != "" and not config.admin_certificate and config.admin_plain == "loopback"
    if is_plain and not is_loopback(config.admin):
        expected = f"expected admin_certificate beside {config.admin}: without one only this machine is served"
        problems.append(Problem(f"admin ({origins.get('admin', 'default')})", expected))
    if problems:
        raise StaticConfigError(problems)
    return config


def _mistyped_environment(environment: Mapping[str, str]) -> Iterator[Problem]:
    """EDGE_LISTENS is a mistake; EDGE_PORT_5060_UDP is a container platform's own and no business of ours."""
    options = [option for option in StaticConfig.model_fields if option not in FILE_ONLY]
    known = [ENVIRONMENT_PREFIX + option.upper() for option in options] + ["EDGE_CONFIG"]
    for name in environment:
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1, cutoff=0.85)
            if close:
                yield Problem(name, f"unknown environment variable; did you mean {close[0]}?")


def _without_kind(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The place as the operator wrote it: the validator puts a sink's kind between its number and its key."""
    return tuple(
        part
        for place, part in enumerate(location)
        if place < 3 or location[1] != "sinks" or place > 3 or part not in KINDS
    )


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
        else close_or_all(str(detail["loc"][-1]), {f.alias or n: 0 for n, f in model.model_fields.items()})
    )
