"""`/v1/accounts/…/contacts`: refusals, consents and contracts of people called. Numbers are digested here: neither the
store nor the audit ever has one. The same functions as `edge contacts …` (`edge.contacts`)."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Path, Request

from edge.admin.asking import DryRun, Here, Noted, Who
from edge.admin.problems import FieldError, Refusal, invalid
from edge.admin.services import Services
from edge.admin.shapes.contacts import Look, NewContacts, Note, Person, Recorded
from edge.config.plan import NumberPlan
from edge.config.rulesets import BUILT_IN_RULESETS, built_in_ruleset, plan_of
from edge.contacts.entries import EntriesError, Entry, entry_of, note_of, read_csv
from edge.contacts.key import KEY_FILE, agree, read_key
from edge.policy.verdicts import TELEMARKETING
from edge.proxy.identifiers import number_digest
from limits.account import AccountId, is_account_id
from limits.contacts import ContactBook

router = APIRouter(prefix="/v1/accounts/{account}/contacts", tags=["contacts"])
Name = Annotated[str, Path(max_length=128, description="The account that calls.", examples=["acme"])]


@router.post("")
async def record_contacts(
    here: Here, who: Who, noted: Noted, account: Name, wanted: NewContacts, dry_run: DryRun = False
) -> Recorded:
    """Record refusals, consents, contracts: in force at the next INVITE."""
    entries, errors, now, plan = [], [], here.wall_ms(), _plan()
    for place, one in enumerate(wanted.entries):
        try:
            entries.append(entry_of(one.model_dump(), plan, now))
        except ValueError as error:
            name = str(error).partition(":")[0]
            errors.append(FieldError(pointer=f"/entries/{place}/{name}", place="body", detail=str(error)))
    if errors:
        raise Refusal("invalid", f"{len(errors)} entries are wrong; nothing was recorded", errors=errors[:50])
    return await _record(here, who.name, noted, account, entries, dry_run=dry_run)


@router.post(
    "/csv", openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}
)
async def record_csv(
    here: Here, who: Who, noted: Noted, account: Name, request: Request, dry_run: DryRun = False
) -> Recorded:
    """The same from a CSV file with the columns number, what and optionally at, until, proof."""
    try:
        lines = (await request.body()).decode("utf-8-sig").splitlines(keepends=True)
        entries = read_csv(lines, _plan(), here.wall_ms())
    except UnicodeDecodeError as error:
        raise invalid(f"not UTF-8 at byte {error.start}") from error
    except EntriesError as error:
        errors = [FieldError(pointer="", place="body", detail=problem) for problem in error.problems]
        raise Refusal("invalid", f"{error}; nothing was recorded"[:2_000], errors=errors) from error
    return await _record(here, who.name, noted, account, entries, dry_run=dry_run)


@router.post("/look")
async def look_at_contact(here: Here, account: Name, person: Look) -> Person:
    """What is recorded of one person. (By POST: a number does not belong in a URL.)"""
    try:
        number = entry_of({"number": person.number, "what": "refusal"}, _plan(), here.wall_ms()).number
    except ValueError as error:
        raise invalid(str(error), pointer="/number") from error
    async with _book(here, account) as (book, key):
        found = await book.read(AccountId(account), number_digest(key, number), frequency=TELEMARKETING)
    notes = [Note.model_validate(json.loads(note)) for note in found.notes]
    return Person(
        account=account,
        **found.happened._asdict(),
        notes=notes,
        attempts_ms=list(found.attempts_ms),
        keep_ms=found.keep_ms,
    )


async def _record(
    here: Services, by: str, noted: dict[str, object], account: str, entries: list[Entry], *, dry_run: bool
) -> Recorded:
    counts = dict(Counter(entry.what for entry in entries))
    noted["after"] = {"recorded": counts, "dry_run": dry_run}
    async with _book(here, account) as (book, key):
        if dry_run:
            await here.accounts.read(AccountId(account))
        else:
            now = here.wall_ms()
            notes = [note_of(entry, lambda number: number_digest(key, number), now, by=by) for entry in entries]
            await book.note(AccountId(account), notes)
    return Recorded(recorded=counts, dry_run=dry_run)


@asynccontextmanager
async def _book(here: Services, account: str) -> AsyncIterator[tuple[ContactBook, bytes]]:
    """The book and the key of its digests. Raises Refusal, StoreUnavailable."""
    if not is_account_id(account):
        raise invalid("account: expected the name of an account", place="path")
    named = here.orders.contacts_key
    try:
        key = read_key(File(named) if named else here.state / KEY_FILE)
    except ValueError as error:
        raise Refusal("not-here", str(error)) from error
    await agree(here.orders.store, key)
    async with ContactBook(here.orders.store) as book:
        yield book, key


def _plan() -> NumberPlan:
    return plan_of(built_in_ruleset(BUILT_IN_RULESETS[0]))
