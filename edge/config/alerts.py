"""`[alerts]`: what is told of thresholds, and where; part of the settings of one process.

Pure; imports pydantic and this room. Descriptions are the operator's reference (`docs/parameters.md`).
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from edge.config.amounts import Credit
from edge.config.faults import told
from edge.config.fields import IDENTIFIER, Section
from edge.config.sending import Path, Variable, exactly_one, webhook_url

MAX_WEBHOOKS = 16
AlertKind = Literal["calls", "caps", "spend", "credit", "quality", "rise", "place", "trunk", "node", "store"]


class AlertWebhook(Section):
    """Where alerts are sent, each as a signed HTTP POST; docs/alerts.md. Every node of a store has the same ones."""

    name: Annotated[str, StringConstraints(pattern=IDENTIFIER)] = Field(
        description="Names it in commands, metrics and the log. Another name is another webhook, which is told of what "
        "comes from now on.",
        examples=["noc"],
    )
    url: Annotated[str, StringConstraints(max_length=2048), AfterValidator(webhook_url)] = Field(
        description="Where to POST: `https://…`; `http://` only to this machine itself.",
        examples=["https://noc.example/trunkgate"],
    )
    secret_file: Path | None = Field(
        default=None,
        description="File that holds the secret of the signature: 16 characters at least.",
        examples=["/etc/trunkgate/alerts.secret"],
    )
    secret_env: Variable | None = Field(
        default=None, description="Environment variable that holds the secret instead.", examples=["ALERTS_SECRET"]
    )
    ca_file: Path | None = Field(
        default=None,
        description="PEM file of the certificates to trust; left out: those of the system.",
        examples=["/etc/trunkgate/ca.pem"],
    )
    kinds: Annotated[tuple[AlertKind, ...], Field(max_length=10)] = Field(
        default=(), description="Alerts it is told of; empty: all.", examples=[["trunk", "node", "store"]]
    )
    least: Literal["warning", "critical"] = Field(
        default="warning", description="The least bad ones it is told of.", examples=["critical"]
    )
    timeout_s: Annotated[float, Field(ge=0.1, le=60)] = Field(
        default=10.0, description="A request that is not answered in so many seconds is tried again.", examples=[5]
    )
    retry_most_s: Annotated[float, Field(ge=1, le=600)] = Field(
        default=60.0,
        description="Longest pause between two tries, in seconds; the first is half a second, and it doubles.",
        examples=[30],
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        exactly_one(self.secret_file, self.secret_env, names="secret_file, secret_env")
        return self


class AlertSettings(Section):
    """Alerts: thresholds and webhooks."""

    webhooks: Annotated[tuple[AlertWebhook, ...], Field(max_length=MAX_WEBHOOKS)] = Field(
        default=(), description="`[[alerts.webhooks]]`: where they are sent, each at its own pace.", examples=[]
    )
    credit_low: Credit | None = Field(
        default=None,
        description="Accounts with less credit than this are told (prepaid: balance; postpaid: what is left of the "
        "credit line). `edge alerts credit` sets another one for an account. Left out: only those.",
        examples=["10.00"],
    )
    rise_factor: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=3,
        description="An account with so many times the attempts of the busiest of the days before is told (contract "
        "articles 24.2.2, 9.1.7); twice as many is critical. 0: never.",
        examples=[2],
    )
    rise_least: Annotated[int, Field(ge=1, le=1_000_000_000)] = Field(
        default=200, description="Attempts in a day (UTC) below which no rise is told.", examples=[1_000]
    )
    rise_days: Annotated[int, Field(ge=1, le=90)] = Field(
        default=7, description="Days before today that it is compared with.", examples=[14]
    )
    new_place_least: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        default=10,
        description="An account with so many attempts in a day to a destination (the zone of its rate, else the "
        "country) that is new to it is told. 0: never.",
        examples=[50],
    )
    new_place_days: Annotated[int, Field(ge=1, le=90)] = Field(
        default=30, description="A destination is new that was not called on so many days before.", examples=[90]
    )
    remind_s: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=0,
        description="An alert that goes on is told again after so many seconds; 0: never.",
        examples=[14_400],
    )

    @field_validator("webhooks")
    @classmethod
    def _apart(cls, webhooks: tuple[AlertWebhook, ...]) -> tuple[AlertWebhook, ...]:
        names = [webhook.name for webhook in webhooks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise told(f"two webhooks have the name {twice!r}")
        return webhooks
