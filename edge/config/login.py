"""Who we are to an egress trunk: user name and password, registration of an address of ours (RFC 3261 §10, §22). Pure.

Imports pydantic and this room. A password must be known in clear to answer a challenge, so the document never holds it:
it says in which file or environment variable of each node it is.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from edge.config.addresses import parse_trunk_uri
from edge.config.credentials import UserName
from edge.config.fields import VARIABLE, Section

_ADDRESS = re.compile(r"sip:([A-Za-z0-9+._*~!'()&=$-]{1,64})@([^@/?;]{1,255})")
ADDRESS_FORM = "sip:USER@HOST[:PORT]"


def _address(text: str) -> str:
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {ADDRESS_FORM}")
    parse_trunk_uri(f"sip:{match[2]}")
    return text


class LoginEntry(Section):
    """User name and password of ours at an egress trunk that asks for them."""

    username: UserName = Field(description="User name.", examples=["trunkgate-1"])
    password_file: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="File on each node with the password, read with the document; its last line break does not count.",
        examples=["/run/secrets/carrier-a"],
    )
    password_env: Annotated[str, StringConstraints(pattern=VARIABLE)] | None = Field(
        default=None,
        description="Environment variable of each node with the password, in the place of a file.",
        examples=["CARRIER_A_PASSWORD"],
    )
    realm: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{0,128}$")] = Field(
        default="",
        description="The only realm whose challenges are answered. Empty: any.",
        examples=["carrier.example"],
    )


class RegistrationEntry(Section):
    """An address that this edge registers at an egress trunk."""

    address: Annotated[str, AfterValidator(_address)] = Field(
        description="The address of record: what the trunk knows us by.", examples=["sip:trunkgate-1@carrier.example"]
    )
    expires_s: Annotated[int, Field(strict=True, ge=60, le=86_400)] = Field(
        default=3_600, description="Seconds a registration is asked to last.", examples=[600]
    )
    required: StrictBool = Field(
        default=True,
        description="Are calls sent to it only while this node is registered, as long as another trunk can take them?",
        examples=[False],
    )


@dataclass(frozen=True, slots=True)
class Login:
    """As an egress trunk needs it; the password is elsewhere."""

    username: bytes
    realm: bytes
    """Empty: any."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What is registered where."""

    address: bytes
    """The address of record, a SIP URI."""
    domain: bytes
    """Request-URI of REGISTER: the address without its user (RFC 3261 §10.2)."""
    user: bytes
    expires_s: int
    is_required: bool


def login_of(entry: LoginEntry | None) -> Login | None:
    return None if entry is None else Login(entry.username.encode(), entry.realm.encode())


def registered_of(entry: RegistrationEntry | None) -> Registered | None:
    if entry is None:
        return None
    match = _ADDRESS.fullmatch(entry.address)
    assert match is not None
    user, host = match[1].encode(), match[2].encode()
    return Registered(entry.address.encode(), b"sip:" + host, user, entry.expires_s, entry.required)
