"""The lists of numbers an account may present, from the policy document and from the file it names. Pure."""

from collections.abc import Iterable, Iterator

from edge.config.errors import Problem
from edge.config.ownership import Ownership, OwnershipBuilder
from edge.config.plan import NumberPlan
from edge.config.ranges import expand
from edge.config.schema import PolicyDocument


def listed(document: PolicyDocument, plan: NumberPlan) -> OwnershipBuilder:
    """What the document itself lists."""
    builder = OwnershipBuilder()
    for entry in document.accounts:
        if entry.cli.numbers:
            for name in expand(entry.id):
                for text in entry.cli.numbers:
                    builder.add_text(name, text, plan)
    return builder


def listed_with(document: PolicyDocument, plan: NumberPlan, lines: Iterable[bytes]) -> Ownership:
    """The same, and the lines of a file. Raises OwnershipError."""
    builder = listed(document, plan)
    builder.add_lines(lines, frozenset(name for entry in document.accounts for name in expand(entry.id)))
    return builder.build()


def check_defaults(document: PolicyDocument, ownership: Ownership) -> Iterator[Problem]:
    """A default number must be one of the account's own, where a list is kept: it would be refused otherwise."""
    for index, entry in enumerate(document.accounts):
        default = entry.cli.default
        if default is not None:
            for name in expand(entry.id):
                if ownership.is_declared(name) and not ownership.owns(name, default):
                    yield Problem(f"accounts[{index}].cli.default", f"{default} is not among the numbers of {name!r}")
                    break
