"""What the API says when something is wrong, in the console's French: the sentences that it really says."""

import re

import pytest

from edge.admin.routes.console import assets
from edge.alerts.conditions import of_credit, of_limits, of_nodes, of_quality, of_trunks
from edge.control.client import NodeState
from edge.control.snapshot import VERSION, Alarm, Snapshot, TrunkUse
from edge.policies.explain_view import limits_then
from limits.account import Account, AccountId, Credit
from limits.model import Usage

LINE = re.compile(r'\[/(\^.+\$)/,\s+"([^"]*)"\],')


def details() -> list[tuple[re.Pattern[str], str]]:
    """As the console has them; its patterns mean the same in Python."""
    text = assets()["french-details.js"].data.decode()
    found = LINE.findall(text)
    assert len(found) == text.count("[/^")
    return [(re.compile(pattern.replace(r"\/", "/")), french) for pattern, french in found]


DETAILS = details()


def in_french(text: str) -> str:
    for pattern, french in DETAILS:
        found = pattern.match(text)
        if found is not None:
            words = found.groups(default="")
            return re.sub(r"\$(\d)", lambda at, words=words: words[int(at[1]) - 1], french)
    return text


def test_each_pattern_puts_in_what_it_finds():
    """`$2` stands for a group that is there."""
    for pattern, french in DETAILS:
        assert {int(number) for number in re.findall(r"\$(\d)", french)} <= set(range(1, pattern.groups + 1)), french


LOTS = "/v1/accounts/acme/caps-lots"
TOP_UPS = "/v1/accounts/acme/top-ups"


@pytest.mark.parametrize(
    ("path", "body", "french"),
    [
        (LOTS, {"lots": "-3"}, "-3 : sur 0 lots, on ne peut pas en enlever 3"),
        (LOTS, {"lots": "x"}, "lots : il faut un nombre entier"),
        (LOTS, {"lots": 1, "until": "2 lunes"}, "'2 lunes' : il faut une durée, 45m, 2h ou 3d"),
        (LOTS, {"lots": 1, "until": "2020-01-01T00:00Z"}, "horloge de la base dit 2"),
        (LOTS, {"lots": 1, "until": "2300-01-01T00:00Z"}, "2300-01-01T00:00Z : dix ans au plus"),
        (LOTS, {"lots": 1, "until": "2027-01-01T00:00"}, "2027-01-01T00:00 : dans quel fuseau ? Il faut "),
        (LOTS, {"lots": 1, "reason": "a\nb"}, "reason : 500 caractères imprimables au plus, sur une ligne"),
        (LOTS, {"lots": 1, "reason": "x" * 501}, "reason : 500 caractères au plus"),
        (LOTS, {"lots": 9_999_999}, " = 9999999"),
        (LOTS, {}, "lots : il manque"),
        (TOP_UPS, {"amount_micros": 0, "reference": "x"}, "il faut un montant autre que zéro"),
        (TOP_UPS, {"amount_micros": -1, "reference": "x"}, "une correction négative demande un motif"),
        (TOP_UPS, {"amount_micros": 1, "reference": ""}, "reference : 1 caractère au moins"),
        (TOP_UPS, {"amount_micros": 10**16, "reference": "x"}, "amount_micros : 1000000000000000 au plus"),
        ("/v1/accounts", {"account": "acme"}, "le compte acme existe déjà, à la génération "),
        ("/v1/accounts", {"account": "a{b"}, "account : cette forme"),
        ("/v1/accounts", {"account": "b", "caps_base": -1}, "caps_base : 0 au moins"),
        ("/v1/accounts/nobody/suspend", {"reason": "x"}, "pas de compte nobody dans la base"),
        ("/v1/calls/00ff/hang-up", {"reason": "x"}, "appel 00ff en cours : il est fini"),
        ("/v1/policy/check", {"name": "p.toml", "document": "x = [", "files": {}}, "est pas bon : "),
        ("/v1/explain", {"cli": "1", "called": "2", "source": "::1"}, "la base ne contient encore aucune politique"),
    ],
)  # fmt: skip
async def test_what_is_said_of_a_wrong_entry_is_french(desk, admin, path, body, french):
    """Sentence by sentence, as the API says it now: one that is worded otherwise would be English on a French page."""
    await desk.account()
    done = await admin.post(path, json=body)
    assert done.status_code in (404, 409, 422)
    told = in_french(done.json()["detail"])
    assert french in told, done.json()["detail"]
    assert "expected" not in told or "document" in told


async def test_who_may_not_is_told_in_french(desk, admin):
    """Roles, scopes, tokens."""
    await desk.account()
    viewer, scoped = await desk.client("viewer"), await desk.client("operator", accounts=("robo",), name="robo")
    stranger = await desk.stranger({"Authorization": "Bearer nothing"})
    said = [
        await viewer.post(LOTS, json={"lots": 1}),
        await scoped.post(LOTS, json={"lots": 1}),
        await stranger.get("/v1/me"),
        await (await desk.stranger()).get("/v1/me"),
    ]
    assert [
        "il faut le rôle operator ; token:viewer a le rôle viewer",
        "token:robo ne peut pas voir ce compte",
        "le jeton est faux, expiré ou révoqué",
        "il faut un jeton",
    ] == [in_french(one.json()["detail"]) for one in said]


def node(name: str, **more: object) -> NodeState:
    """At rest, but for what is told."""
    values: dict[str, object] = {
        "v": VERSION, "node": name, "version": "0", "at_ms": 0, "uptime_s": 5, "listeners": (), "draining": "",
        "is_overloaded": False, "store_up": True, "settles_queued": 0, "nodes_alive": 1, "policy_generation": 1,
        "policy_is_stale": False, "calls": 0, "leases": 0, "transactions": 0, "attempts_per_s": 0.0,
        "admitted_per_s": 0.0, "refused_per_s": 0.0, "refused_by_reason": {}, "attempts_total": 0, "refused_total": {},
        "decision_p50_ms": 1.0, "decision_p99_ms": 2.0, "loop_lag_ms": 0.1, "cdr_backlog": 0, "cdr_is_failing": False,
        "delivery_is_up": True, "escaped": 0, "traces": 0, "accounts_active": 0, "accounts": (), "trunks": (),
        "alarms": (), "history": (),
    }  # fmt: skip
    return NodeState(name, 100, Snapshot(**{**values, **more}))


def test_alerts_that_stand_are_told_in_french():
    """Each kind's sentence, as the edge makes it now."""
    limits = [("acme", "calls"), ("group:a", "caps"), ("acme", "spend_cap"), ("robo", "credit")]
    alarms = tuple([Alarm(holder, limit, 100, 5, 5, 1) for holder, limit in limits])
    now = [node("n1", alarms=alarms, trunks=(TrunkUse("out", "down", 0, 0, 0), TrunkUse("b", "up", 0, 0, 0)))]
    half = [*now, node("n2", trunks=(TrunkUse("out", "up", 0, 0, 0),))]
    usage = Usage(Account(AccountId("acme"), credit=Credit.PREPAID), 0, (), 0, (), balance_micros=1_000_000)
    said = [one.text for one in (*of_limits(now), *of_trunks(now), *of_trunks(half), *of_quality("acme", {"asr": "x"}))]
    low = of_credit(usage, 5_000_000, stands=False)
    assert low is not None
    gone = of_nodes([NodeState("n3", 90_000, None)], {"n3": "up"}, [], 0).gone
    said += [low.text, *[one.text for one in gone]]
    assert 9 == len(said)
    assert [] == [text for text in said if in_french(text) == text]


@pytest.mark.parametrize(
    "record",
    [
        {"decided_by": "limits", "in_use": 3, "account_generation": 2, "caps_in_force": 5, "calls_in_force": 6},
        {"decided_by": "local", "in_use": 3, "degraded": True},
        {"limit": "caps", "account": "acme", "limit_in_use": 5, "ceiling": 5, "account_generation": 2},
        {},
        {"emergency": True},
    ],
)
def test_what_the_limits_said_is_told_in_french(record):
    """Beside why a call passed or not."""
    assert in_french(limits_then(record)) != limits_then(record)


async def test_a_field_of_several_types_is_named_once(desk, admin):
    """The pointer is the field's, not that of a type that was tried."""
    await desk.account()
    problem = (await admin.post(LOTS, json={"lots": "x"})).json()
    (error,) = problem["errors"]
    assert "/lots" == error["pointer"]
    assert "; or: " in error["detail"]
