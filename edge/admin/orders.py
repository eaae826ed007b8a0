"""What an admin process is told at its start: by `edge run`, which starts it, or by `edge admin`. Pure.

Nothing of the HTTP server is imported here: `edge run` knows this room only.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from edge.config.access import OidcSettings
from edge.config.static import StaticConfig
from limits.address import parse_address

FINISH_S = 5.0
"""Time that requests under way have at the end."""


class Orders(BaseModel):
    """One line of JSON on standard input."""

    model_config = ConfigDict(defer_build=True)

    listen: str
    certificate: str = ""
    proxies: tuple[str, ...] = ()
    store: str
    state: str
    node: str
    policy: str = ""
    """The policy document of this edge, or `store`; empty: not known."""
    contacts_key: str = ""
    log: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    oidc: OidcSettings = OidcSettings.unwritten()

    @property
    def is_tls(self) -> bool:
        """Does it speak TLS itself?"""
        return bool(self.certificate)

    @property
    def store_shown(self) -> str:
        """The store without its password."""
        return str(parse_address(self.store))


def orders_of(static: StaticConfig, *, node: str, store: str) -> Orders:
    """`store`: the URL, also of an embedded one."""
    return Orders(
        listen=static.admin,
        certificate=static.admin_certificate,
        proxies=static.admin_proxies,
        store=store,
        state=static.state,
        node=node,
        policy="" if static.policy == "-" else static.policy,
        contacts_key=static.contacts_key,
        log=static.log,
        log_level=static.log_level,
        oidc=static.oidc,
    )
