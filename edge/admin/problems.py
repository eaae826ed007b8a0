"""What can go wrong, as RFC 9457 problem details: one type each, with the exact place where a field is wrong. Pure but
for the response.

`type` is a path of this API that tells the meaning (`GET /problems/NAME`); docs/api.md has the same table.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse

from edge.accounts.values import WrongState
from edge.config.errors import Problem as ConfigProblem
from edge.config.errors import StaticConfigError

CONTENT_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """A type of problem."""

    status: int
    title: str
    meaning: str


KINDS: Mapping[str, Kind] = {
    "malformed": Kind(400, "The request cannot be read", "it is no HTTP or no JSON that can be read"),
    "unauthenticated": Kind(401, "Who are you?", "no token or session, or one that is wrong, expired or revoked"),
    "forbidden": Kind(403, "Not allowed", "the role or the accounts of whoever asks do not reach so far"),
    "csrf": Kind(403, "Not from our own page", "a change by session cookie without its X-CSRF-Token"),
    "unknown-path": Kind(404, "No such path", "there is no operation at this path"),
    "not-found": Kind(404, "No such thing", "the thing that the path names does not exist"),
    "method-not-allowed": Kind(405, "No such method here", "the path exists; `Allow` names its methods"),
    "conflict": Kind(409, "It does not fit what is there", "it exists already, or its state does not allow it"),
    "used-reference": Kind(409, "Reference used", "it stands for another booking already; nothing was booked"),
    "in-progress": Kind(409, "Still being done", "a request with this Idempotency-Key has not ended yet"),
    "stale": Kind(412, "Somebody was faster", "If-Match names another generation than is in force: read it again"),
    "too-large": Kind(413, "Too large", "the body has more bytes than this operation takes"),
    "media-type": Kind(415, "Not a form we read", "the Content-Type of the body is not one of those we read"),
    "invalid": Kind(422, "A value is wrong", "`errors` names each field and what was expected"),
    "key-reused": Kind(422, "Idempotency-Key used", "it was sent before with another request"),
    "unchecked": Kind(428, "If-Match is missing", "a change of this thing must name the generation it was read at"),
    "rate-limited": Kind(429, "Too fast", "more requests than a token or an address may send; see Retry-After"),
    "locked-out": Kind(429, "Too many wrong tries", "this address has brought too many wrong tokens; see Retry-After"),
    "internal": Kind(500, "A fault of ours", "the log has it under the request id of this answer"),
    "store-unavailable": Kind(503, "The store does not answer", "nothing was changed, as far as is known; try again"),
    "busy": Kind(503, "Too much at one time", "as many such requests run as may; try again"),
    "not-here": Kind(503, "Not on this node", "it needs something that this process was not given: see `detail`"),
    "node-silent": Kind(504, "A node does not answer", "it did not answer in time; it may have done what was asked"),
    "provider-silent": Kind(503, "The OpenID provider is no help", "it does not answer, or not as it should"),
    "timeout": Kind(504, "Took too long", "the request was given up; a change may have been made: look"),
}


class FieldError(BaseModel):
    """One field that is wrong."""

    pointer: str = Field(description="JSON pointer into the body, or the name of what is not in the body.")
    place: str = Field(description="`body`, `query`, `path` or `header`.")
    detail: str


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(examples=["/problems/stale"])
    title: str
    status: int
    detail: str
    instance: str = Field(default="", description="The request id; the log has the same.")
    errors: list[FieldError] = Field(default_factory=list)


class Refusal(Exception):
    """Ends a request with a problem."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})


def response(refusal: Refusal, *, instance: str = "") -> JSONResponse:
    """The answer."""
    kind = KINDS[refusal.kind]
    problem = Problem(
        type=f"/problems/{refusal.kind}",
        title=kind.title,
        status=kind.status,
        detail=refusal.detail,
        instance=instance,
        errors=refusal.errors,
    )
    headers = {"Cache-Control": "no-store", **refusal.headers}
    return JSONResponse(problem.model_dump(), kind.status, headers, media_type=CONTENT_TYPE)


def invalid(detail: str, *, pointer: str = "", place: str = "body") -> Refusal:
    """One value is wrong."""
    return Refusal("invalid", detail, errors=[FieldError(pointer=pointer, place=place, detail=detail)])


_NAMED = re.compile(r"-{0,2}([A-Za-z_][A-Za-z_-]*)(?=[ =:(])")


def of_value(error: ValueError, names: Iterable[str]) -> Refusal:
    """What the rooms below say of a value begins with its name (`caps_base = -1: expected …`, `--until 2x: …`): the
    field of this name is pointed at."""
    text = str(error)
    found = _NAMED.match(text)
    name = found[1].replace("-", "_") if found else ""
    known = {one: one for one in names} | {one.removesuffix("_micros"): one for one in names}
    return invalid(text.removeprefix("--"), pointer=f"/{known[name]}" if name in known else "")


@contextmanager
def naming(shape: type[BaseModel]) -> Iterator[None]:
    """What the rooms below say of a value is said of the field of this shape. Raises Refusal."""
    try:
        yield
    except (ValidationError, WrongState):
        raise  # a fault of ours; nothing wrong with a value
    except ValueError as error:
        raise of_value(error, shape.model_fields) from error


_INDEX = re.compile(r"\[([0-9]+)\]")
_LINE = re.compile(r"(?:.*: )?(.+?):([0-9]+)(?:: (.+))?")


def of_document(problems: Iterable[ConfigProblem], *, below: str) -> Refusal:
    """Faults of a policy document: `policy.toml: routes[2].trunks[0]` is `BELOW/document/routes/2/trunks/0`, and
    `rates.csv:7: zone` a line of `BELOW/files/rates.csv`."""
    errors = []
    for problem in problems:
        line = _LINE.fullmatch(problem.path)
        if line is not None:
            where = f"line {line[2]}" + (f", {line[3]}" if line[3] else "")
            errors.append(_at([*below.split("/"), "files", line[1]], f"{where}: {problem.message}"))
            continue
        _, colon, place = problem.path.rpartition(": ")
        steps = _INDEX.sub(r".\1", place).split(".") if colon else []
        errors.append(_at([*below.split("/"), "document", *steps], problem.message if colon else str(problem)))
    return Refusal("invalid", f"the document does not build: {errors[0].detail}", errors=errors)


def _at(steps: list[str], detail: str) -> FieldError:
    pointer = "/".join([step.replace("~", "~0").replace("/", "~1") for step in steps])
    return FieldError(pointer=pointer, place="body", detail=detail)


def of_settings(error: StaticConfigError) -> Refusal:
    """What this process was started with does not do."""
    return Refusal("not-here", "; ".join(str(problem) for problem in error.problems))
