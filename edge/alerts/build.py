"""From `[alerts]` to what sends (I/O: reads secrets, opens nothing else)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edge import __version__
from edge.alerts.events import Wanted
from edge.cdr.delivery.consumer import Bounds
from edge.cdr.delivery.credentials import SinkError, credential
from edge.cdr.delivery.posting import Poster
from edge.cdr.delivery.signature import MIN_SECRET_CHARS
from edge.config.alerts import AlertWebhook


class Hook(NamedTuple):
    """One webhook, ready to send."""

    name: str
    poster: Poster
    wanted: Wanted
    bounds: Bounds


def open_hooks(webhooks: Sequence[AlertWebhook]) -> list[Hook]:
    """Every webhook. Raises SinkError: one sentence, which names it; no secret is in it."""
    return [_hook(webhook) for webhook in webhooks]


def _hook(webhook: AlertWebhook) -> Hook:
    where = f"alert webhook {webhook.name!r}"
    secret = credential(webhook.name, "secret", webhook.secret_file, webhook.secret_env, what="alert webhook")
    if len(secret) < MIN_SECRET_CHARS:
        place = webhook.secret_file or webhook.secret_env
        raise SinkError(f"{where}: expected a secret of {MIN_SECRET_CHARS} characters at least in {place}")
    try:
        poster = Poster(
            webhook.url,
            secret=secret.encode(),
            timeout_s=webhook.timeout_s,
            agent=f"trunkgate/{__version__}",
            ca_file=None if webhook.ca_file is None else Path(webhook.ca_file),
        )
    except OSError as error:
        raise SinkError(f"{where}: ca_file {webhook.ca_file}: {error.strerror or error}") from error
    bounds = Bounds(timeout_s=webhook.timeout_s, retry_most_s=webhook.retry_most_s)
    return Hook(webhook.name, poster, Wanted(webhook.kinds, webhook.least), bounds)
