"""schemathesis over the whole API: no answer is a fault of ours, and each is what the description says."""

import asyncio

import httpx
import pytest
import redis
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served import Served, served
from test_policy import POLICY, body

from edge.admin.app import make_operations
from edge.contacts.key import KEY_FILE
from limits.account import Account, AccountId
from limits.accounts import AccountStore

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
schema = schemathesis.openapi.from_dict(make_operations().openapi()).exclude(path_regex="/events$")
"""Streams do not end; test_stream.py reads them."""


@pytest.fixture(scope="module")
def api(store_url: str, tmp_path_factory: pytest.TempPathFactory):
    """With a little of everything in its store."""
    state = tmp_path_factory.mktemp("state")
    (state / "cdr").mkdir()
    (state / KEY_FILE).write_bytes(b"k" * 32)
    redis.Redis.from_url(store_url).flushall()

    async def fill() -> None:
        async with AccountStore(store_url) as accounts:
            await accounts.provision([Account(AccountId(name)) for name in ("acme", "group:g", "trunk:out")])

    asyncio.run(fill())
    with served(store_url, state) as api:
        headers = {"Authorization": f"Bearer {api.token}", "If-Match": '"0"'}
        httpx.put(f"{api.url}/v1/policy", json=body(POLICY), headers=headers).raise_for_status()
        yield api


@schema.parametrize()
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_its_word(case: schemathesis.Case, api: Served):
    """Right and wrong requests, of every operation."""
    response = case.call(base_url=api.url, headers={"Authorization": f"Bearer {api.token}"})
    assert response.status_code not in (401, 403) or "forbidden" in response.text, response.text
    if response.status_code != 503 or "not-here" not in response.text:  # an extra, or a file, that is not there
        case.validate_response(response, checks=CHECKS)


def test_nothing_was_a_fault(api: Served):
    """The process counted none."""
    page = httpx.get(f"{api.url}/metrics", headers={"Authorization": f"Bearer {api.token}"}).text
    assert 'status="500"' not in page
