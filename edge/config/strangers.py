"""What the policy says of addresses that no trunk names: answers, budgets, bans, the marks of scanners. Pure."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from edge.config.fields import Identifier, Section, SilentToken

Rate = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Signature = Annotated[str, StringConstraints(min_length=3, max_length=64, pattern="^[ -~]+$")]
Priority = Literal["low", "normal", "high"]
"""Whose calls are refused last while the edge is overloaded."""

SCANNERS = (
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sipcli",
    "sip-scan",
    "sipsak",
    "sipscan",
    "sundayddr",
    "pplsip",
    "iwar",
    "sivus",
    "vaxsipuseragent",
    "vaxipuseragent",
    "eyebeam-scan",
)
"""What tools that look for open telephone systems call themselves, in any case of letters."""
KNOWN_PACKETS_PER_S = 20_000
KNOWN_REQUESTS_PER_S = 5_000
"""Budgets of each address of a known neighbour where the policy names none: enough for a large one."""


class Strangers(Section):
    """Addresses that no trunk names: scanners, mostly."""

    refusal_profile: Identifier = Field(default="carrier", description="Which answers they get.", examples=["pbx"])
    silent: tuple[SilentToken, ...] = Field(
        default=(),
        max_length=16,
        description="What they get no answer to at all: refusal tokens, `options` for OPTIONS to the edge itself (this "
        "machine's own are answered all the same), `all` for everything listed here. Counted in `edge_drops_total`; "
        "attempts are put together in one CDR a minute and address. An egress trunk is no stranger.",
        examples=[["all"]],
    )
    packets_per_s: Rate = Field(
        default=50,
        description="Datagrams a second from one address (IPv6: one /64) that are looked at; as many at once. The rest "
        "is dropped without an answer.",
        examples=[20],
    )
    requests_per_s: Rate = Field(default=20, description="Of these, requests.", examples=[5])
    total_per_s: Rate = Field(
        default=500,
        description="Datagrams a second from all strangers together, so that invented addresses cost no more than real "
        "ones; a tenth of it while the edge is overloaded.",
        examples=[200],
    )
    ban_after: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(
        default=100,
        description="So many datagrams over its budget within 10 s, or three with the mark of a scanner, and the "
        "address is not heard for a while: the kernel drops what it sends. 0: nobody is banned.",
        examples=[500],
    )
    ban_s: Annotated[float, Field(strict=True, ge=1, le=86_400)] = Field(
        default=10.0, description="Seconds of a first ban; four times as long each time within the hour.", examples=[60]
    )
    ban_most_s: Annotated[float, Field(strict=True, ge=1, le=86_400)] = Field(
        default=600.0,
        description="Seconds of the longest ban: an address may be forged, and its owner be a customer tomorrow.",
        examples=[3600],
    )
    scanners: tuple[Signature, ...] = Field(
        default=SCANNERS,
        max_length=64,
        description="What a stranger is dropped for without an answer where it stands in its User-Agent, or is its "
        "display name in From, in any case of letters. Replaces the built-in list.",
        examples=[["friendly-scanner", "sipvicious"]],
    )
