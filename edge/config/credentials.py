"""User names and what is kept of their passwords; how callers are asked for them (R10, contract article 6.1). Pure.

A password itself is nowhere: `sha256` and `md5` are H(username:realm:password), which `edge secret` makes. Whoever has
one of them can authenticate in this realm, and in no other: keep the document as a secret is kept.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StrictBool, StringConstraints

from edge.config.fields import Identifier, Section

UserName = Annotated[str, StringConstraints(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,128}$")]
"""Printable ASCII without a blank, a quotation mark or a backslash."""
Algorithm = Literal["SHA-256", "MD5"]


class CredentialEntry(Section):
    """One user name, and the account its calls belong to."""

    id: UserName = Field(description="User name, as the caller's equipment sends it.", examples=["acme-pbx-1"])
    account: Identifier = Field(description="Account of its calls.", examples=["acme"])
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] = Field(
        default="",
        description="SHA-256 of `username:realm:password` in hexadecimal; `edge secret` makes it.",
        examples=["5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"],
    )
    md5: Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")] = Field(
        default="",
        description="The same in MD5, for equipment that knows nothing better.",
        examples=["5f4dcc3b5aa765d61d8327deb882cf99"],
    )


class Digest(Section):
    """How callers are asked for user name and password."""

    realm: Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]{1,128}$")] = Field(
        default="trunkgate", description="The realm; part of every hash.", examples=["sip.example"]
    )
    algorithms: tuple[Algorithm, ...] = Field(
        default=("SHA-256", "MD5"),
        min_length=1,
        max_length=2,
        description="What is offered, the most preferred first (RFC 8760). Leave MD5 out as soon as nobody needs it.",
        examples=[["SHA-256"]],
    )
    nonce_s: Annotated[int, Field(strict=True, ge=10, le=86_400)] = Field(
        default=300, description="Seconds a nonce lives; then the caller is asked anew.", examples=[120]
    )
    needs_qop: StrictBool = Field(
        default=True,
        description="Refuse credentials without `qop` (RFC 2069): they have no replay counter. Off: each nonce is good "
        "for one such request.",
        examples=[False],
    )
    lockout_failures: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=10,
        description="So many wrong passwords within `lockout_s` lock out the address they came from, and the user name "
        "for addresses it has not been used from.",
        examples=[5],
    )
    lockout_s: Annotated[int, Field(strict=True, ge=1, le=86_400)] = Field(
        default=300, description="Seconds a lock-out lasts.", examples=[900]
    )


class Secret(NamedTuple):
    """What is known of a user name."""

    account: str
    by_algorithm: dict[bytes, str]
    """Algorithm in lower case -> H(username:realm:password)."""


def secrets_of(entries: tuple[CredentialEntry, ...]) -> dict[bytes, Secret]:
    """By user name."""
    found = {}
    for entry in entries:
        kept = {b"sha-256": entry.sha256, b"md5": entry.md5}
        hashes = {algorithm: text for algorithm, text in kept.items() if text}
        found[entry.id.encode()] = Secret(entry.account, hashes)
    return found
