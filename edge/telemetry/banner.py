"""What `edge run` says when it is up: five lines. Pure text; standard library only."""

from collections.abc import Sequence


def banner(
    *,
    listening: Sequence[str],
    store: str,
    policy: str,
    generation: int,
    accounts: int,
    cdr: str,
    metrics: str = "",
    local_trunk: tuple[str, int] | None = None,
) -> list[str]:
    """The lines, without newlines.

    `listening`: as bound, `udp:127.0.0.1:5060`. `store`: `embedded` or a URL; a password in it is not shown.
    `local_trunk`: host and port of an egress trunk on this machine, where somebody must answer for a call to pass.
    """
    first = listening[0].partition(":")[2] if listening else ""
    page = f", metrics on http://{metrics}/metrics" if metrics else ""
    shown = "embedded (a private server beside this process)" if store == "embedded" else without_secret(store)
    callee = "" if local_trunk is None else f"sipp -sn uas -i {local_trunk[0]} -p {local_trunk[1]} -bg; "
    return [
        f"listening   {' '.join(listening)}{page}",
        f"store       {shown}",
        f"policy      {policy} (generation {generation}, {accounts} accounts)",
        f"CDRs        {cdr}",
        f"try it      {callee}sipp {first} -sn uac -s 0612345678 -m 1    or see everything at once: edge demo",
    ]


def without_secret(url: str) -> str:
    """The URL with its password starred out."""
    scheme, separator, rest = url.partition("://")
    secret, at, host = rest.rpartition("@")
    if not at:
        return url
    user = secret.partition(":")[0]
    return f"{scheme}{separator}{user}:***@{host}" if ":" in secret else f"{scheme}{separator}{user}@{host}"
