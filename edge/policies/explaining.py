"""What `edge explain` needs from outside: the document that applies, the record of a call, the limits now (I/O)."""

import asyncio
from pathlib import Path
from typing import NamedTuple

from edge.accounts import changes
from edge.accounts.changes import Place, Refused
from edge.accounts.views import usage_lines
from edge.cdr.looking import look
from edge.cdr.picking import Picked
from edge.cdr.search import Wanted
from edge.config.bundle import build
from edge.config.snapshot import PolicySnapshot
from edge.config.source import PolicyFile
from edge.config.static import STORE
from edge.contacts.key import KEY_FILE
from edge.policies import versions
from edge.policies.explain_view import Told
from edge.policies.foreseeing import foretold
from edge.policies.rebuilt import Record, number
from edge.policies.records import Records
from edge.settings import read_settings
from limits.account import AccountId
from limits.accounts import AccountStore
from limits.errors import StoreUnavailable, UnknownAccount


class Document(NamedTuple):
    """What to judge by, and how to name it."""

    snapshot: PolicySnapshot
    name: str


def document_for(place: Place, policy: str, generation: int | None, record: Record | None) -> Document:
    """The document named; else, where the edge takes its policy from the store, the generation that judged the call;
    else the edge's file as it is now. Raises Refused, PolicyError, StaticConfigError."""
    if policy and policy != STORE:
        return _of_file(policy)
    if generation is None and not policy:
        settings = read_settings({"redis": place.redis, "state": place.state}, place.config)
        if settings.policy != STORE:
            return _of_file(settings.policy)
    wanted = generation or (number(record, "policy_generation") if record is not None else 0)
    version, bundle = versions.run(place, lambda store: versions.of_generation(store, wanted or None))
    name = f"generation {version.generation} of the store"
    return Document(build(bundle, generation=version.generation), name)


def _of_file(name: str) -> Document:
    return Document(PolicyFile(versions.find_document(Path(name))).snapshot, f"{name} as it is now")


def record_of(uid: str, names: list[str], place: Place) -> Record:
    """The record of a call, in these files, or in any node's log. Raises NoRecords, Refused, StaticConfigError."""
    if not names:
        looked = look(place, Wanted(Picked(), uid=uid), limit=1)
        if looked.entries:
            return dict(looked.entries[0].record)
        missing = f"; {looked.missing}" if looked.missing else ""
        where = ", ".join(looked.nodes) or "any node"
        raise Refused(f"no record of call {uid!r} in the log of {where}: one is written when the call ends{missing}")
    found = Records(names).search(uid)
    if found is None:
        raise Refused(f"no record of call {uid!r} in {', '.join(names)}: one is written when the call ends")
    return found


def with_limits(told: Told, snapshot: PolicySnapshot, place: Place) -> Told:
    """The same with what the limits would say now, and what is in force and in use of the account; nothing is taken."""
    attempt = told.attempt
    if attempt.account is None:
        return told
    try:
        url, _ = changes.store_url(place)
    except Refused as refused:
        return told._replace(found=told.found._replace(unknown=str(refused)))
    settings = read_settings({"redis": place.redis, "state": place.state, "policy": "-"}, place.config)
    key = Path(settings.contacts_key) if settings.contacts_key else Path(settings.state) / KEY_FILE

    async def look() -> Told:
        async with AccountStore(url) as store:
            return await limits_told(told, snapshot, url=url, contacts_key=key, store=store)

    return asyncio.run(look())


async def limits_told(
    told: Told, snapshot: PolicySnapshot, *, url: str, contacts_key: Path, store: AccountStore
) -> Told:
    """The same where there is a loop."""
    attempt = told.attempt
    found = await foretold(attempt, told.found, snapshot, url=url, contacts_key=contacts_key, store=store)
    told = told._replace(found=found)
    if attempt.account is None or attempt.emergency:
        return told
    try:
        usage = await store.peek(AccountId(attempt.account.id))
    except (UnknownAccount, StoreUnavailable, ValueError) as error:
        return told._replace(limits_now=(f"not asked: {error}",))
    return told._replace(limits_now=tuple([line.strip() for line in usage_lines(usage)]))


def address_of(snapshot: PolicySnapshot, trunk: str) -> tuple[str, str, tuple[str, ...]]:
    """An address that this ingress trunk gets its calls from, the listener, and the name it proves. Raises Refused."""
    names = [one.id for one in snapshot.ingress]
    if trunk not in names:
        raise Refused(f"no ingress trunk named {trunk!r}; known: {', '.join(names[:10]) or 'none'}")
    found = snapshot.address_of(trunk)
    if found is None:
        raise Refused(f"ingress trunk {trunk}: every address of it belongs to another trunk with a longer prefix")
    return found
