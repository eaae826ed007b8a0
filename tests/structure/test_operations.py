"""What the API can do, a command can: the matrix. And every command has its form for machines."""

import pytest
import typer.main

from edge.admin.entering import CHANGES
from edge.admin.roles import OPERATIONS
from edge.commands import app

OF_HTTP = "of HTTP itself"
IN_A_DOCUMENT = "policy import"
"""A part of the policy: changed in its file, and brought in."""
MATRIX: dict[str, str] = {
    **dict.fromkeys(
        ["GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json", "GET /problems", "GET /problems/{problem}",
         "GET /", "GET /console/{asset}", "GET /v1/me", "POST /v1/session", "DELETE /v1/session",
         "GET /v1/session/oidc", "GET /v1/session/oidc/callback"],
        OF_HTTP,
    ),
    "GET /v1/tokens": "token list",
    "POST /v1/tokens": "token create",
    "DELETE /v1/tokens/{token}": "token revoke",
    "GET /v1/accounts": "account list",
    "POST /v1/accounts": "account create",
    "GET /v1/accounts/{account}": "account show",
    "PATCH /v1/accounts/{account}": "account set",
    "POST /v1/accounts/{account}/caps-lots": "account caps-lots",
    "POST /v1/accounts/{account}/call-lots": "account call-lots",
    "POST /v1/accounts/{account}/suspend": "account suspend",
    "POST /v1/accounts/{account}/resume": "account resume",
    "POST /v1/accounts/{account}/close": "account close",
    "POST /v1/accounts/{account}/top-ups": "account top-up",
    "GET /v1/accounts/{account}/history": "account history",
    "GET /v1/accounts/{account}/calls": "account calls",
    "GET /v1/accounts/{account}/verify": "account verify",
    "GET /v1/credit-alerts": "alerts credit",
    "GET /v1/accounts/{account}/credit-alert": "alerts credit",
    "PUT /v1/accounts/{account}/credit-alert": "alerts credit",
    "GET /v1/calls": "calls list",
    "GET /v1/calls/{call}": "calls show",
    "POST /v1/calls/{call}/hang-up": "calls hangup",
    "GET /v1/nodes": "nodes",
    "GET /v1/nodes/{node}": "nodes",
    "POST /v1/nodes/{node}/drain": "drain",
    "POST /v1/nodes/{node}/resume": "undrain",
    "GET /v1/alarms": "top",
    "GET /v1/bans": "bans list",
    "POST /v1/bans/lift": "bans lift",
    "GET /v1/alerts": "alerts list",
    "GET /v1/alerts/history": "alerts history",
    "GET /v1/overview": "top",
    "GET /v1/events": "top",
    "GET /v1/accounts/{account}/events": "top",
    "GET /v1/cdrs": "cdr find",
    "GET /v1/cdrs/export": "cdr export",
    "GET /v1/cdrs/{call}": "cdr find",
    "POST /v1/explain": "explain",
    "GET /v1/explain/{call}": "explain",
    "GET /v1/policy": "policy history",
    "PUT /v1/policy": "policy import",
    "GET /v1/policy/versions": "policy history",
    "GET /v1/policy/document": "policy export",
    "POST /v1/policy/check": "policy check",
    "POST /v1/policy/diff": "policy diff",
    "POST /v1/policy/rollback": "policy rollback",
    "POST /v1/policy/replay": "policy replay",
    "GET /v1/policy/law": "policy at",
    "GET /v1/policy/files/{file}": "policy export",
    "PUT /v1/policy/files/{file}": IN_A_DOCUMENT,
    "GET /v1/trunks": "trunk list",
    "GET /v1/trunks/{trunk}": "trunk show",
    "POST /v1/trunks/{trunk}/maintenance": "trunk maintenance",
    "POST /v1/trunks/{trunk}/resume": "trunk resume",
    "GET /v1/trunk-orders": "trunk list",
    "PUT /v1/trunk-orders/{trunk}": "trunk drain",
    "GET /v1/accounts/{account}/cli-numbers": "policy export",
    "PUT /v1/accounts/{account}/cli-numbers": IN_A_DOCUMENT,
    "GET /v1/do-not-originate": "policy export",
    "PUT /v1/do-not-originate": IN_A_DOCUMENT,
    "GET /v1/rates": "policy export",
    "GET /v1/accounts/{account}/quality": "quality",
    "GET /v1/accounts/{account}/penalties": "penalties list",
    "POST /v1/accounts/{account}/penalties": "penalties add",
    "POST /v1/accounts/{account}/penalties/{seq}/correct": "penalties correct",
    "GET /v1/penalties/export": "penalties export",
    "GET /v1/penalties/verify": "penalties verify",
    "GET /v1/billing/{month}": "billing",
    "GET /v1/idle-accounts": "account idle",
    "POST /v1/idle-accounts/close": "account idle",
    "POST /v1/accounts/{account}/contacts": "contacts refusal",
    "POST /v1/accounts/{account}/contacts/csv": "contacts import",
    "POST /v1/accounts/{account}/contacts/look": "contacts show",
    "GET /v1/audit": "audit list",
    "GET /v1/audit/export": "audit export",
    "GET /v1/audit/verify": "audit verify",
}  # fmt: skip
WITHOUT_JSON = {
    "run": "it serves", "admin": "it serves", "demo": "a show", "secret": "it prints TOML", "billing": "CSV",
    "penalties export": "CSV or JSON lines", "cdr export": "JSON lines, CSV or Parquet",
    "policy export": "the document itself", "audit export": "JSON lines",
}  # fmt: skip
OTHERWISE_ENTERED = {"token create", "token revoke"}
"""They enter it themselves, without the text of a token."""


def commands(command, words: tuple[str, ...] = ()) -> dict:
    """Every command by its words."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return {" ".join(words): command}
    found = {}
    for name, one in inner.items():
        found |= commands(one, (*words, name))
    return found


COMMANDS = commands(typer.main.get_command(app))


def test_every_operation_is_in_the_matrix_and_nothing_else():
    """A new operation asks for its command."""
    assert set(MATRIX) == {str(operation) for operation in OPERATIONS}


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if MATRIX.get(str(one)) != OF_HTTP], ids=str)
def test_what_the_api_can_do_a_command_can(operation):
    """The command is there; where the operation changes something in the store, the audit has the command too."""
    words = MATRIX[str(operation)]
    assert words in COMMANDS
    if operation.is_change:
        assert words in CHANGES.keys() | OTHERWISE_ENTERED


def test_every_command_has_its_form_for_machines():
    """`--json`, unless what it prints is data already."""
    without = {words for words, command in COMMANDS.items() if "as_json" not in {one.name for one in command.params}}
    assert without == set(WITHOUT_JSON)


def test_every_change_is_a_command_with_its_option():
    """A renamed command or option would go unseen past the audit."""
    for words, change in CHANGES.items():
        names = {one.name for one in COMMANDS[words].params}
        assert {"redis", "state", "config"} <= names, words
        assert change.only_with in {"", *names}, words


def test_exit_codes_are_documented(root):
    """The three of them, for every command."""
    text = (root / "docs" / "commands.md").read_text()
    assert [f"| {code} |" in text for code in (0, 1, 2)] == [True] * 3
    tops = {words.partition(" ")[0] for words in COMMANDS}
    assert {top for top in tops if f"`edge {top}" not in text} == set()
