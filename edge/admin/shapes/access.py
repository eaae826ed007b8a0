"""Who is there, tokens, sessions and the audit, as the API tells and takes them. Pure."""

from typing import Annotated

from pydantic import Field, StringConstraints

from edge.admin.shapes.shape import Answer, Asked
from edge.config.access import RoleName

Scope = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=129, pattern=r"^[!-z|~]+$")]],
    Field(
        max_length=100, description="Only these accounts, or those that begin so where one ends with `*`; empty: all."
    ),
]


class Me(Answer):
    """Who asks."""

    name: str
    role: RoleName
    accounts: Scope
    expires_ms: int = Field(description="When token or session end; 0: not known.")
    csrf: str = Field(description="For `X-CSRF-Token`, where a session cookie was sent; else empty.")


class Session(Answer):
    """A session for a browser has begun; the cookie came with the answer."""

    name: str
    role: RoleName
    csrf: str = Field(description="Send it as `X-CSRF-Token` with every change.")
    expires_ms: int


class TokenInfo(Answer):
    """A token, without its secret."""

    id: str
    name: str
    role: RoleName
    accounts: Scope
    created_ms: int
    created_by: str
    expires_ms: int
    is_expired: bool
    is_once: bool


class NewToken(Asked):
    """A token to be made."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(examples=["noc-shift"])
    role: RoleName
    accounts: Scope = Field(default_factory=list)
    days: Annotated[int, Field(ge=1, le=3_650, strict=True, description="Its life.")] = 90


class MadeToken(TokenInfo):
    """A new token; its text is told this once."""

    token: str


class AuditEntry(Answer):
    """One entry."""

    seq: int
    at_ms: int
    node: str
    event: str = Field(description="`asked`: before a change; `done`: after it; or what happened.")
    who: str
    role: str
    address: str
    request: str
    agent: str
    operation: str = ""
    path: str = ""
    query: str = ""
    why: str = ""
    status: int | None = Field(default=None, description="Of what is done.")
    asked: int | None = Field(default=None, description="Of what is done: number of the entry that asked.")
    change: dict[str, object] = Field(default_factory=dict, description="`before` and `after`.")
    body: object = None
    digest: str


class AuditProof(Answer):
    """Is the audit whole?"""

    is_whole: bool
    fault: str = Field(description="The first entry that is missing or altered; empty: none.")
    entries: int
    first_seq: int
    last_seq: int
    last_digest: str = Field(description="Keep it elsewhere: it stands for everything up to here.")
    unfinished: list[int] = Field(description="Changes asked for of which nobody knows whether they were made.")


class Health(Answer):
    """How this process is."""

    status: str
    version: str
    node: str


class ProblemType(Answer):
    """A type of problem."""

    type: str
    title: str
    status: int
    meaning: str
