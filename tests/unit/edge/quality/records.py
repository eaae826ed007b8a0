"""Call detail records as the log has them, made by hand: only the columns that quality reads."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> int:
    """UTC seconds of an ISO instant; without an offset it is UTC."""
    found = datetime.fromisoformat(text)
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def instant(seconds: float) -> str:
    """As the CDR writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def record(
    seq: int,
    *,
    released: float,
    outcome: str = "answered",
    talk_s: float = 0.0,
    node: str = "n1",
    account: str = "acme",
    trunk: str = "out",
    tried: tuple[tuple[str, int], ...] = (),
    status: int = 200,
    q850: int = 16,
    reason: str = "",
    pdd_ms: int | None = None,
    emergency: bool = False,
    lost: bool = False,
    cost: int = 0,
    billed_s: int = 0,
    candidates: tuple[str, ...] = (),
) -> dict[str, object]:
    """One attempt that ended at `released` (UTC seconds)."""
    was_sent = outcome not in ("refused", "abandoned")
    return {
        "seq": seq,
        "node": node,
        "uid": f"{node}-{seq:06}",
        "account": account,
        "outcome": outcome,
        "reason": reason or outcome,
        "status": status,
        "q850": q850,
        "egress_trunk": trunk if was_sent else "",
        "candidates": [list(one) for one in tried or ([(trunk, status)] if was_sent else [])],
        "emergency": emergency,
        "lost": lost,
        "pdd_ms": pdd_ms,
        "duration_ms": int(talk_s * 1_000),
        "billed_s": billed_s,
        "cost_micros": cost,
        "received_at": instant(released - talk_s - 1),
        "released_at": instant(released),
        "penalty_candidates": list(candidates),
    }
