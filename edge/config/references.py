"""What one section of a policy document says of another: every name used must be defined, and once only.

Pure; imports this room. A shape that is right by `schema` may still mean nothing as a whole: that is judged here.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from edge.config.addresses import parse_listen, parse_source
from edge.config.boundary import BUILT_IN_RULES
from edge.config.choices import check_destinations
from edge.config.errors import Problem
from edge.config.fields import MAX_ACCOUNTS
from edge.config.plan import FOREIGN, STATES
from edge.config.quality import TAKEN_KINDS
from edge.config.ranges import expand, range_size
from edge.config.refusals import BUILT_IN, FINAL_REASONS, Reason
from edge.config.ruleset_schema import RulesetDocument
from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset
from edge.config.schema import IngressEntry, PolicyDocument

_SHOWN = 10
"""Known names listed in a message at most."""


def check_references(document: PolicyDocument) -> list[Problem]:
    """Every fault between the sections, in document order."""
    accounts: set[str] = set()
    problems = list(_accounts(document, accounts))
    problems += _repeated("groups", [entry.id for entry in document.groups], "group")
    problems += _ingress(document, accounts)
    problems += _credentials(document, accounts)
    problems += _egress(document, accounts)
    problems += _routes(document, accounts)
    problems += _header_rules(document)
    for index, trunk in enumerate(document.egress):
        problems += _listener(f"egress[{index}].listener", trunk.listener)
    problems += check_destinations(document, accounts)
    problems += _shadows("shadow_refusals", document.shadow_refusals)
    for index, account in enumerate(document.accounts):
        problems += _shadows(f"accounts[{index}].shadow_refusals", account.shadow_refusals)
    profiles = _profiles(document)
    if document.strangers.refusal_profile not in profiles:
        name = document.strangers.refusal_profile
        problems.append(_unknown("strangers.refusal_profile", "refusal profile", name, profiles))
    problems += _lists(document)
    if document.numbers.ruleset in BUILT_IN_RULESETS:
        problems += check_rules(document, built_in_ruleset(document.numbers.ruleset))
    problems += _quality(document, accounts)
    return problems


def _accounts(document: PolicyDocument, accounts: set[str]) -> Iterator[Problem]:
    profiles = _profiles(document)
    groups = [entry.id for entry in document.groups]
    total = 0
    for index, entry in enumerate(document.accounts):
        path = f"accounts[{index}]"
        if entry.refusal_profile is not None and entry.refusal_profile not in profiles:
            yield _unknown(f"{path}.refusal_profile", "refusal profile", entry.refusal_profile, profiles)
        if entry.group is not None and entry.group not in groups:
            yield _unknown(f"{path}.group", "group", entry.group, groups)
        if entry.credit == "prepaid" and entry.floor < 0:
            yield Problem(f"{path}.floor", "expected 0 or more for a prepaid account; a credit line is `postpaid`")
        ceilings = [ceiling.prefix for ceiling in entry.prefix_ceilings]
        twice = next((prefix for prefix in ceilings if ceilings.count(prefix) > 1), None)
        if twice is not None:
            yield Problem(f"{path}.prefix_ceilings", f"prefix {twice!r} is given twice")
        try:
            total += range_size(entry.id)
        except ValueError as error:
            yield Problem(f"{path}.id", str(error))
            continue
        if total > MAX_ACCOUNTS:
            yield Problem(f"{path}.id", f"expected at most {MAX_ACCOUNTS} accounts in all, ranges counted out")
            return
        names = expand(entry.id)
        twice = next((name for name in names if name in accounts), None)
        if twice is not None:
            yield Problem(f"{path}.id", f"account {twice!r} is defined twice")
        accounts.update(names)


def _ingress(document: PolicyDocument, accounts: Collection[str]) -> Iterator[Problem]:
    yield from _repeated("ingress", [entry.id for entry in document.ingress], "ingress trunk")
    profiles = _profiles(document)
    owners: dict[tuple[str, str], str] = {}
    names: dict[tuple[str, str], str] = {}
    for index, entry in enumerate(document.ingress):
        path = f"ingress[{index}]"
        for place, source in enumerate(entry.sources if not entry.tls_names else ()):
            owner = owners.setdefault((str(parse_source(source)), entry.listener), entry.id)
            if owner != entry.id:
                yield Problem(f"{path}.sources[{place}]", f"{source!r} already belongs to ingress trunk {owner!r}")
        for place, name in enumerate(entry.tls_names):
            owner = names.setdefault((name.lower(), entry.listener), entry.id)
            if owner != entry.id:
                yield Problem(f"{path}.tls_names[{place}]", f"{name!r} already belongs to ingress trunk {owner!r}")
        if not entry.sources and not entry.tls_names:
            yield Problem(path, "expected sources or tls_names: nothing says by what the trunk is known")
        yield from _listener(f"{path}.listener", entry.listener)
        for prefix, account in entry.tech_prefixes.items():
            if account not in accounts:
                yield _unknown(f"{path}.tech_prefixes.{prefix}", "account", account, accounts)
        if entry.account is not None and entry.account not in accounts:
            yield _unknown(f"{path}.account", "account", entry.account, accounts)
        if entry.account_header is not None and not entry.trusted:
            yield Problem(
                f"{path}.account_header", "only a trusted trunk may name the account: expected trusted = true beside it"
            )
        for name in ("automated_header", "purpose_header"):
            if getattr(entry, name) is not None and not entry.trusted:
                yield Problem(
                    f"{path}.{name}", "only a trusted trunk may mark its calls: expected trusted = true beside it"
                )
        if entry.digest:
            yield from _authenticated(document, entry, path)
        elif entry.account is None and entry.account_header is None and not entry.tech_prefixes:
            yield Problem(path, "expected account or account_header: nothing says whose calls these are")
        if entry.refusal_profile not in profiles:
            yield _unknown(f"{path}.refusal_profile", "refusal profile", entry.refusal_profile, profiles)


def _listener(path: str, name: str) -> Iterator[Problem]:
    try:
        is_named = not name or parse_listen(name).name == name
    except ValueError:
        is_named = False
    if not is_named:
        yield Problem(path, f"expected the name of a listener such as udp:HOST:PORT, got {name!r}")


def _header_rules(document: PolicyDocument) -> Iterator[Problem]:
    known = [*BUILT_IN_RULES, *document.header_rules]
    for name in BUILT_IN_RULES:
        if name in document.header_rules:
            yield Problem(f"header_rules.{name}", "this name is built in: expected another one")
    boundaries = [(f"ingress[{index}]", entry.boundary) for index, entry in enumerate(document.ingress)]
    boundaries += [(f"egress[{index}]", entry.boundary) for index, entry in enumerate(document.egress)]
    for path, boundary in boundaries:
        for key, used in (("headers_from", boundary.headers_from), ("headers_to", boundary.headers_to)):
            if used is not None and used not in known:
                yield _unknown(f"{path}.boundary.{key}", "header rules", used, known)


def _authenticated(document: PolicyDocument, entry: IngressEntry, path: str) -> Iterator[Problem]:
    if entry.account is not None or entry.account_header is not None or entry.tech_prefixes:
        expected = "expected neither account, account_header nor tech_prefixes beside digest"
        yield Problem(path, f"{expected}: the user name says whose calls")
    if not document.credentials:
        yield Problem(f"{path}.digest", "expected credentials: nobody has a user name")


def _credentials(document: PolicyDocument, accounts: Collection[str]) -> Iterator[Problem]:
    yield from _repeated("credentials", [entry.id for entry in document.credentials], "user name")
    offered = [name.lower().replace("-", "") for name in document.digest.algorithms]
    for index, entry in enumerate(document.credentials):
        if entry.account not in accounts:
            yield _unknown(f"credentials[{index}].account", "account", entry.account, accounts)
        if not any(getattr(entry, name) for name in offered):
            yield Problem(f"credentials[{index}]", f"expected {' or '.join(offered)}: no hash for what `digest` offers")


def _egress(document: PolicyDocument, accounts: Collection[str]) -> Iterator[Problem]:
    yield from _repeated("egress", [entry.id for entry in document.egress], "egress trunk")
    for index, entry in enumerate(document.egress):
        if entry.account is not None and entry.account not in accounts:
            yield _unknown(f"egress[{index}].account", "account", entry.account, accounts)
        prefixes = [rewrite.prefix for rewrite in entry.called]
        twice = next((prefix for prefix in prefixes if prefixes.count(prefix) > 1), None)
        if twice is not None:
            yield Problem(f"egress[{index}].called", f"prefix {twice!r} is given twice")
        login = entry.login
        if login is not None and bool(login.password_file) == (login.password_env is not None):
            yield Problem(f"egress[{index}].login", "expected either password_file or password_env")


def _routes(document: PolicyDocument, accounts: Collection[str]) -> Iterator[Problem]:
    yield from _repeated("routes", [entry.id for entry in document.routes], "route")
    trunks = [entry.id for entry in document.egress]
    known = frozenset(trunks)
    for index, entry in enumerate(document.routes):
        path = f"routes[{index}]"
        is_barred = entry.mode in ("barred", "shadow-barred")
        if is_barred and entry.trunks:
            yield Problem(f"{path}.trunks", "expected none: the route is barred")
        if is_barred and entry.emergency:
            yield Problem(f"{path}.emergency", "expected false: nothing is barred to emergency calls")
        if not is_barred and not entry.trunks:
            yield Problem(f"{path}.trunks", 'expected at least one egress trunk, or mode = "barred"')
        if entry.order != "priority" and entry.mode != "ordered":
            yield Problem(f"{path}.order", 'expected mode = "ordered" beside it: weights and costs cannot both decide')
        if entry.no_loss and not document.rate_deck:
            yield Problem(f"{path}.no_loss", "expected a rate_deck of the document: nothing says what calls bring")
        if (entry.no_loss or entry.order == "cost") and not any(
            trunk.rate_deck for trunk in document.egress if trunk.id in entry.trunks
        ):
            yield Problem(path, "expected a rate_deck of one of its trunks: nothing says what calls cost")
        for place, trunk in enumerate(entry.trunks):
            if trunk not in known:
                yield _unknown(f"{path}.trunks[{place}]", "egress trunk", trunk, trunks)
            elif trunk in entry.trunks[:place]:
                yield Problem(f"{path}.trunks[{place}]", f"egress trunk {trunk!r} stands there twice")
        for place, account in enumerate(entry.accounts):
            if account not in accounts:
                yield _unknown(f"{path}.accounts[{place}]", "account", account, accounts)


def check_rules(document: PolicyDocument, ruleset: RulesetDocument) -> list[Problem]:
    """What the document says of its ruleset: categories, switches."""
    problems = list(_cli_rules(document, ruleset))
    problems += _categories(document)
    problems += _switches(document, ruleset)
    return problems


def _cli_rules(document: PolicyDocument, ruleset: RulesetDocument) -> Iterator[Problem]:
    yield from _repeated("cli_rules", [entry.id for entry in document.cli_rules], "CLI rule")
    own = [entry.id for entry in document.categories]
    known = list(dict.fromkeys([*(entry.id for entry in ruleset.categories), FOREIGN, *STATES, *own]))
    for index, entry in enumerate(document.cli_rules):
        path = f"cli_rules[{index}]"
        for place, category in enumerate(entry.when.categories):
            if category not in known:
                yield _unknown(f"{path}.when.categories[{place}]", "number category", category, known)


def _shadows(path: str, reasons: Sequence[Reason]) -> Iterator[Problem]:
    for place, reason in enumerate(reasons):
        if reason in FINAL_REASONS:
            yield Problem(f"{path}[{place}]", f"{str(reason)!r} cannot be in the shadow: the call could not go on")


def _categories(document: PolicyDocument) -> Iterator[Problem]:
    yield from _repeated("categories", [entry.id for entry in document.categories], "category")
    owners: dict[str, str] = {}
    for index, entry in enumerate(document.categories):
        if entry.id in STATES or entry.id == FOREIGN:
            yield Problem(f"categories[{index}].id", f"{entry.id!r} is a word of the edge's own")
        for place, prefix in enumerate(entry.prefixes):
            owner = owners.setdefault(prefix, entry.id)
            if owner != entry.id:
                yield Problem(
                    f"categories[{index}].prefixes[{place}]", f"{prefix!r} already belongs to category {owner!r}"
                )


def _switches(document: PolicyDocument, ruleset: RulesetDocument) -> Iterator[Problem]:
    switches = {switch.id: switch for switch in ruleset.switches}
    for name, value in document.numbers.switches.items():
        switch = switches.get(name)
        if switch is None:
            yield _unknown(f"numbers.switches.{name}", "switch", name, switches)
        elif value not in switch.values:
            *first, last = [f"'{one}'" for one in switch.values]
            expected = f"{', '.join(first)} or {last}" if first else last
            yield Problem(f"numbers.switches.{name}", f"expected {expected}, got {value!r}")


def _lists(document: PolicyDocument) -> Iterator[Problem]:
    """Lists of numbers: ends of ranges, and a default where one is put in a number's place."""
    for index, entry in enumerate(document.accounts):
        path = f"accounts[{index}].cli"
        yield from _ranges(f"{path}.numbers", entry.cli.numbers)
        if entry.cli.default is None and "substitute" in (entry.cli.unowned, entry.cli.forwarded):
            yield Problem(f"{path}.default", "missing: it is to be substituted for another number")
    yield from _ranges("numbers.do_not_originate", document.numbers.do_not_originate)


def _ranges(path: str, texts: Sequence[str]) -> Iterator[Problem]:
    for place, text in enumerate(texts):
        first, dots, last = text.partition("..")
        if dots and (len(first) != len(last) or first > last):
            yield Problem(f"{path}[{place}]", f"expected two numbers of one length, the lower first, got {text!r}")


def _profiles(document: PolicyDocument) -> list[str]:
    return list(dict.fromkeys([*BUILT_IN, *document.refusal_profiles]))


def _repeated(section: str, names: Sequence[str], what: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Problem(f"{section}[{index}].id", f"{what} {name!r} is defined twice")
        seen.add(name)


def _unknown(path: str, what: str, name: str, known: Iterable[str]) -> Problem:
    names = sorted(known)
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return Problem(path, f"no {what} named {name!r}; known: {shown or 'none'}")


def _quality(document: PolicyDocument, accounts: Collection[str]) -> Iterator[Problem]:
    rules = document.quality.rules
    yield from _repeated("quality.rules", [rule.id for rule in rules], "quality rule")
    for index, rule in enumerate(rules):
        path = f"quality.rules[{index}]"
        if rule.id in TAKEN_KINDS:
            yield Problem(f"{path}.id", f"{rule.id!r} is the name of another kind of entry in the penalty ledger")
        if rule.margin > rule.threshold and rule.metric in ("short", "pdd"):
            yield Problem(f"{path}.margin", "expected at most the threshold: nothing is less than zero")
        for account in rule.accounts:
            if account not in accounts:
                yield _unknown(f"{path}.accounts", "account", account, accounts)
