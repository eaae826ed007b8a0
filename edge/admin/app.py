"""The application: every operation behind the gate, and the description of it all (OpenAPI 3.1)."""

from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from edge import __version__
from edge.accounts.changes import Refused
from edge.accounts.values import WrongState
from edge.admin import problems, roles
from edge.admin.gate import Gate
from edge.admin.problems import FieldError, Problem, Refusal
from edge.admin.routes import (
    access,
    accounts,
    alerts,
    audit,
    console,
    contacts,
    edits,
    explain,
    health,
    live,
    login,
    policy,
    quality,
    records,
    stream,
    trunks,
)
from edge.admin.services import Services
from edge.config.errors import PolicyError
from edge.config.money import format_money
from limits.errors import StaleGeneration, StoreUnavailable, UnknownAccount, UsedReference

ROUTERS = tuple(
    room.router
    for room in (
        health,
        console,
        access,
        login,
        accounts,
        alerts,
        live,
        stream,
        records,
        explain,
        policy,
        edits,
        trunks,
        quality,
        contacts,
        audit,
    )
)
DESCRIPTION = """Accounts, policy, calls and records of an edge: looked at and changed, live.

Money is integer micro-units of the policy's currency; instants are UTC milliseconds. Errors are problem details
(RFC 9457). A change may carry `Idempotency-Key`: sent again, it is done once. What has a generation has it as ETag, and
takes `If-Match`. Lists are read page by page by `cursor`."""


def make_app(services: Services) -> Gate:
    """The application behind its gate."""
    return Gate(make_operations(), services)


def make_operations() -> FastAPI:
    """The operations alone; without the gate they know neither services nor principals."""
    app = _Described(
        title="trunkgate admin API",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for router in ROUTERS:
        app.include_router(router)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, object]:
        return app.openapi()

    for kind, translate in _TRANSLATED.items():
        app.add_exception_handler(kind, _handler(translate))
    return app


# -- errors --------------------------------------------------------------------------------------------------------


_BRANCHES = frozenset({"constrained-int", "constrained-str", "int", "str"})
"""Where a field may be of several types, pydantic names the one it tried as if it were a field in it."""


def _of_request(error: Exception) -> Refusal:
    """What FastAPI found wrong with a request."""
    assert isinstance(error, RequestValidationError)
    found: dict[tuple[str, str], str] = {}
    for one in error.errors():
        place, *steps = [step for step in one["loc"] if step not in _BRANCHES]
        if one["type"] == "json_invalid":
            return Refusal("malformed", f"the body is no JSON: {one.get('ctx', {}).get('error', '')}")
        pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)
        if place != "body":
            pointer = "/".join(map(str, steps))
        before = found.get((pointer, str(place)))
        found[pointer, str(place)] = str(one["msg"]) if before is None else f"{before}; or: {one['msg']}"
    errors = [FieldError(pointer=pointer, place=place, detail=detail) for (pointer, place), detail in found.items()]
    first = errors[0]
    return Refusal("invalid", f"{first.pointer or first.place}: {first.detail}", errors=errors[:50])


def _of_http(error: Exception) -> Refusal:
    assert isinstance(error, HTTPException)
    kinds = {400: "malformed", 404: "unknown-path", 405: "method-not-allowed", 413: "too-large"}
    return Refusal(kinds.get(error.status_code, "malformed"), str(error.detail))


def _of_account(error: Exception) -> Refusal:
    return Refusal("not-found", str(error))


def _of_reference(error: Exception) -> Refusal:
    assert isinstance(error, UsedReference)
    return Refusal("used-reference", f"{error}, {format_money(error.amount_micros)}: nothing was booked")


def _of_state(error: Exception) -> Refusal:
    return Refusal("conflict", str(error))


def _of_store(error: Exception) -> Refusal:
    return Refusal("store-unavailable", str(error), headers={"Retry-After": "1"})


def _of_policy(error: Exception) -> Refusal:
    """What is in force does not build here: no fault of the request."""
    assert isinstance(error, PolicyError)
    return Refusal("not-here", "; ".join(str(problem) for problem in error.problems[:5]))


def _itself(error: Exception) -> Refusal:
    assert isinstance(error, Refusal)
    return error


_TRANSLATED: Mapping[type[Exception], Callable[[Exception], Refusal]] = {
    RequestValidationError: _of_request,
    HTTPException: _of_http,
    Refusal: _itself,
    UnknownAccount: _of_account,
    UsedReference: _of_reference,
    StaleGeneration: _of_state,
    WrongState: _of_state,
    Refused: _of_state,
    StoreUnavailable: _of_store,
    PolicyError: _of_policy,
}
"""Translated once, here. What is none of these is a fault of ours."""


def _handler(translate: Callable[[Exception], Refusal]) -> Callable[[Request, Exception], Response]:
    def handle(request: Request, error: Exception) -> Response:
        return problems.response(translate(error), instance=str(request.scope["state"].get("request_id", "")))

    return handle


class _Described(FastAPI):
    def openapi(self) -> dict[str, object]:
        """The description, made once."""
        return _described(self)


# -- description ---------------------------------------------------------------------------------------------------


def _described(app: FastAPI) -> dict[str, object]:
    """OpenAPI 3.1, with what the gate adds: who may, and problem details as the answer to everything that fails."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    parts = schema.setdefault("components", {})
    shapes = parts.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        shapes.pop(unused, None)
    shapes["FieldError"] = FieldError.model_json_schema()
    shapes["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    shapes["Problem"].pop("$defs", None)
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-trunkgate"},
    }
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, methods in schema["paths"].items():
        for method, described in methods.items():
            found = roles.match(method.upper(), path)
            operation = None if found is None else found.operation
            assert operation is not None, f"{method} {path} is not in the table of roles"
            described["operationId"] = described["operationId"].partition("_v1_")[0].partition("__")[0]
            described["responses"].pop("422", None)
            described["responses"]["default"] = {"description": "What went wrong.", "content": problem}
            if operation.role:
                described["security"] = [{"token": []}, {"session": []}]
                described["x-role"] = operation.role
            if operation.is_change and not operation.is_secret:
                key = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"}
                parameters = described.setdefault("parameters", [])
                parameters.append({"name": "Idempotency-Key", "in": "header", "required": False, "schema": key})
    app.openapi_schema = schema
    return schema
