"""Who may do what: the table of roles, walked over for every operation."""

import pytest

from edge.admin.app import make_operations
from edge.admin.roles import OPERATIONS, Operation, Reach, is_enough, match
from edge.config.access import ADMIN_ROLES

NAMES = {
    "account": "acme",
    "token": "0123456789ab",
    "problem": "stale",
    "call": "0123abcd",
    "node": "n1",
    "trunk": "out",
    "file": "rates.csv",
    "asset": "app.js",
    "month": "2026-11",
    "seq": "1",
}


def path_of(operation: Operation) -> str:
    """With something in the place of each variable."""
    path = operation.path
    for name, word in NAMES.items():
        path = path.replace("{" + name + "}", word)
    assert "{" not in path, path
    return path


def test_the_table_is_the_api():
    """Every operation has its row, and every row its operation."""
    described = {
        f"{method.upper()} {path}"
        for path, methods in make_operations().openapi()["paths"].items()
        for method in methods
    }
    unsaid = {"GET /openapi.json", "GET /", "GET /console/{asset}"}
    assert described | unsaid == {str(operation) for operation in OPERATIONS}


@pytest.mark.parametrize("role", [None, *ADMIN_ROLES])
async def test_contract_11_2_every_operation_asks_for_its_role(desk, role):
    """401 without a token, 403 below the role, and neither from the role on, whatever else is wrong."""
    await desk.account()
    client = await (desk.stranger() if role is None else desk.client(role))
    wrong = {}
    for operation in OPERATIONS:
        if operation.path.endswith("/events") and role is not None and is_enough(role, operation.role):
            continue  # a stream does not end; test_stream.py reads it
        answer = await client.request(operation.method, path_of(operation), content=b"{")
        if not operation.role:
            expected = {200} if "oidc" not in operation.path else {401, 503}
        elif role is None:
            expected = {401}
        elif not is_enough(role, operation.role):
            expected = {403}
        else:
            expected = set(range(200, 600)) - {401, 403, 429, 500}
        if answer.status_code not in expected:
            wrong[str(operation)] = answer.status_code
    assert {} == wrong


async def test_a_token_for_some_accounts_reaches_no_others(desk):
    """Neither the others' accounts nor what is about all of them."""
    await desk.account("acme")
    await desk.account("other")
    client = await desk.client("admin", accounts=("acm*",))
    for operation in OPERATIONS:
        path = path_of(operation).replace("/acme", "/other")
        if operation.role and operation.reach is not Reach.SOME:
            answer = await client.request(operation.method, path, content=b"{}")
            assert 403 == answer.status_code, str(operation)
    assert 200 == (await client.get("/v1/accounts/acme")).status_code
    assert ["acme"] == [row["account"] for row in (await client.get("/v1/accounts")).json()["items"]]
    assert 403 == (await client.post("/v1/accounts", json={"account": "third"})).status_code


def test_a_fixed_path_is_no_variable():
    """`/v1/audit/export` and the like are found before a name could be."""
    for operation in OPERATIONS:
        found = match(operation.method, path_of(operation))
        assert found is not None
        assert operation == found.operation
