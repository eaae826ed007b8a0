"""edge.policies.law_view, and `edge policy at`"""

import json
from datetime import date

import pytest
from typer.testing import CliRunner

from edge.config.rulebook import RuleBook
from edge.config.rulesets import built_in_ruleset
from edge.policies.commands import app
from edge.policies.law_view import json_text, page, reference

BOOK = RuleBook(built_in_ruleset("fr-arcep"))


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["at", *words])
    return result.exit_code, result.stdout, result.stderr


def test_a_day_on_a_terminal() -> None:
    """Contexts, categories with their numbers, one line a context, switches; and when it changes next."""
    text = page(BOOK, date(2026, 8, 11))
    assert "fr-arcep 2026-01-01 on 2026-08-11" in text
    assert "in force since 2026-01-01; changes on 2028-01-01" in text
    assert "mask, from 2026-01-01; law: Arcep 2025-2215 [P]" in text
    assert "switch undeclared = tag" in text
    assert "never stopped: +33800112112" in text
    before = page(BOOK, date(2025, 12, 31))
    assert "intl_unauth    allow, no rule" in before
    assert "npv_overseas_2026" not in before


def test_the_same_for_programs() -> None:
    """Every rule as data."""
    law = json.loads(json_text(BOOK, date(2026, 8, 11)))
    assert (law["ruleset"], law["day"], law["next_change"]) == ("fr-arcep", "2026-08-11", "2028-01-01")
    mobile = next(category for category in law["categories"] if category["id"] == "mobile")
    assert {rule["context"]: rule["action"] for rule in mobile["rules"]} == {
        "manual": "allow_if_listed", "automated": "deny", "intl_unauth": "mask", "natl_unsigned": "deny",
    }  # fmt: skip


def test_the_page_of_the_manual() -> None:
    """Every category and every switch has its place."""
    text = reference(BOOK.document)
    for name in [category.id for category in BOOK.document.categories] + [
        switch.id for switch in BOOK.document.switches
    ]:
        assert f"`{name}`" in text


def test_the_command(tmp_path) -> None:
    """A day, today, a document's own choices, JSON."""
    assert "mask, from 2026-01-01" in run("2026-08-11")[1]
    assert run()[0] == 0
    policy = tmp_path / "policy.toml"
    policy.write_text('[numbers.switches]\nundeclared = "deny"\n')
    assert "switch undeclared = deny" in run("2026-08-11", "--policy", str(policy))[1]
    assert json.loads(run("2026-08-11", "--json")[1])["day"] == "2026-08-11"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["tomorrow"], 2, "expected a day as 2026-08-11, or today, got 'tomorrow'"),
        (["2026-02-30"], 2, "expected a day as 2026-08-11"),
        (["today", "--policy", "no such file"], 1, "no such file: cannot be read"),
    ],
)
def test_mistakes(words: list[str], code: int, message: str) -> None:
    """What was expected, and nothing printed."""
    assert run(*words)[:2] == (code, "")
    assert message in run(*words)[2]
