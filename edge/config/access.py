"""Who may use the admin API by an OpenID provider: the table `[oidc]` of the TOML file. Pure; imports pydantic.

(Tokens of our own need no setting: they are made by `edge token`.)
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from edge.config.addresses import parse_host_port
from edge.config.fields import Section

RoleName = Literal["viewer", "operator", "engineer", "admin"]
ADMIN_ROLES: tuple[RoleName, ...] = ("viewer", "operator", "engineer", "admin")
"""From the least to the most; each may do what those before it may."""
_Text = Annotated[str, StringConstraints(max_length=1024, pattern=r"^[ -~]*$")]
_LOOPBACK = ("http://127.0.0.1:", "http://localhost:", "http://[::1]:")


def may_see(accounts: tuple[str, ...], name: str) -> bool:
    """Is this account inside the scope (names, or beginnings with a `*`; none: all)?"""
    return not accounts or any(name == one or (one.endswith("*") and name.startswith(one[:-1])) for one in accounts)


def _issuer(text: str) -> str:
    if text and not text.startswith(("https://", *_LOOPBACK)):
        raise ValueError("expected an https:// URL, as the provider's tokens name it")
    return text


class OidcSettings(Section):
    """An OpenID provider whose users may log in, and whose access tokens the API takes."""

    issuer: Annotated[_Text, AfterValidator(_issuer)] = Field(
        default="",
        description="URL of the provider, as its tokens name it in `iss`; its settings are read from "
        "`/.well-known/openid-configuration` below it. Empty: no provider.",
        examples=["https://login.example/realms/noc"],
    )
    client_id: _Text = Field(
        default="trunkgate",
        description="Our name at the provider: the audience of the tokens it makes for a login.",
        examples=["trunkgate"],
    )
    client_secret_file: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="File with our secret at the provider; empty: a public client, with PKCE alone.",
        examples=["/etc/trunkgate/oidc.secret"],
    )
    audience: _Text = Field(
        default="",
        description="Audience of access tokens that programs bring to the API. Empty: that of a login.",
        examples=["trunkgate-api"],
    )
    roles_claim: _Text = Field(
        default="groups",
        description="Claim that tells what somebody may do; `a.b` is claim `b` inside claim `a`.",
        examples=["realm_access.roles"],
    )
    roles: dict[_Text, RoleName] = Field(
        default_factory=dict,
        max_length=64,
        description="Words of that claim and the roles they stand for; the most of them counts. Who has none of these "
        "words has no role and may do nothing.",
        examples=[],
    )
    ca_file: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="PEM file of the authorities that the provider's certificate must come from; empty: the system's.",
        examples=["/etc/trunkgate/provider-ca.pem"],
    )


def admin_address(text: str) -> str:
    """`HOST:PORT`, or nothing. Raises ValueError."""
    if text not in ("", "none"):
        parse_host_port(text)
    return "" if text == "none" else text


def is_loopback(address: str) -> bool:
    """Can only this machine reach it?"""
    host = parse_host_port(address)[0]
    return host in ("localhost", "::1") or host.startswith("127.")
