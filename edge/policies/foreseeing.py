"""The limits' part of an explanation: what the account, its group and the trunks would say at this moment. I/O, by the
rooms of `limits`; nothing is taken, and whatever cannot be looked at is told as not known.

Health, registrations and throttles of trunks are each node's own and no part of it (`edge trunk list` tells them).
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from edge.config.snapshot import PolicySnapshot
from edge.config.trunk_orders import DOCUMENT, Ordered, Orders
from edge.config.trunks import EgressTrunk
from edge.contacts.key import fingerprint, read_key
from edge.policies.foresight_view import account_words, trunk_words
from edge.policy import demand
from edge.policy.attempt import CallAttempt
from edge.policy.explain import Explanation, Step
from edge.policy.reasons import BASIS
from edge.policy.verdicts import Reason, Refuse, answer, profile_of
from edge.proxy.identifiers import number_digest
from edge.trunks.ordering import in_force
from limits.accounts import AccountStore
from limits.contacts import ContactBook
from limits.documents import Damaged, DocumentStore
from limits.errors import StoreUnavailable, UnknownAccount
from limits.foresight import FORESEEN, Foreseen
from limits.model import Admit, Admitted, Denied, Limit, Unavailable

_NODE = "explain"


class NotKnown(Exception):
    """It cannot be looked at; a sentence says why."""


class Digests(NamedTuple):
    """How numbers called are named in the store; `why`: what keeps us from knowing."""

    digest: Callable[[str], str] | None
    why: str = ""


async def digests_of(url: str, path: Path) -> Digests:
    """By the key in this file, where the store's digests are made with it. Raises StoreUnavailable."""
    try:
        key = read_key(path)
    except ValueError as error:
        return Digests(None, str(error))
    async with ContactBook(url) as book:
        theirs = await book.key_in_use()
    if theirs not in ("", fingerprint(key)):
        return Digests(None, f"the key {path} is not the one this store's counts are made with")
    return Digests(lambda number: number_digest(key, number))


async def orders_of(url: str) -> Orders:
    """What operators have ordered of trunks. Raises StoreUnavailable, Damaged."""
    async with DocumentStore(url, DOCUMENT) as documents:
        return (await in_force(documents)).orders


async def foretold(
    attempt: CallAttempt, found: Explanation, snapshot: PolicySnapshot, *, url: str, contacts_key: Path,
    store: AccountStore,
) -> Explanation:  # fmt: skip
    """The explanation with the limits' stages behind those of policy."""
    if found.refusal is not None:
        return found
    if attempt.emergency or attempt.account is None:
        words = "an emergency call: none stands before it"
        return found._replace(steps=(*found.steps, Step("limits", words)), unknown="")
    told = _Telling(attempt, snapshot, found)
    try:
        if not await told.holders(store, url, contacts_key):
            await told.trunks(store, await orders_of(url))
    except NotKnown as error:
        return told.unknown(str(error))
    except (StoreUnavailable, Damaged) as error:
        return told.away(str(error))
    return told.found._replace(unknown="")


class _Telling:
    """One explanation that grows."""

    def __init__(self, attempt: CallAttempt, snapshot: PolicySnapshot, found: Explanation) -> None:
        self._attempt, self._snapshot = attempt, snapshot
        self.found = found

    async def holders(self, store: AccountStore, url: str, contacts_key: Path) -> bool:
        """The account, its group, its professional. True: one of them refuses."""
        attempt = self._attempt
        digests = Digests(lambda number: number)
        if attempt.frequencies or attempt.contact is not None:
            digests = await digests_of(url, contacts_key)
        verb = demand.ask(attempt, uid=FORESEEN, node=_NODE, digest=digests.digest or (lambda number: number))
        assert verb is not None
        if digests.digest is None:
            verb = verb._replace(contact=None, frequencies=())
        foreseen = await _foresee(store, verb)
        if self._step("limits", account_words(verb, foreseen, attempt.wall), foreseen):
            return True
        if digests.digest is None:
            raise NotKnown(f"what is counted and recorded of the person called: {digests.why}")
        outcome = foreseen.outcome
        assert isinstance(outcome, Admitted)
        for stage, question in (
            ("group", demand.ask_group(attempt, outcome, uid=FORESEEN, node=_NODE)),
            ("professional", demand.ask_professional(attempt, uid=FORESEEN, node=_NODE, digest=digests.digest)),
        ):
            if question is not None:
                foreseen = await _foresee(store, question)
                if self._step(stage, account_words(question, foreseen, attempt.wall), foreseen):
                    return True
        return False

    async def trunks(self, store: AccountStore, orders: Orders) -> None:
        """Which of the candidates may be tried, and have a place."""
        candidates, words, is_open = self._attempt.candidates, [], False
        drained = 0
        for trunk in candidates:
            order = orders.get(trunk.id)
            if order is not None and order.ordered is Ordered.DRAIN:
                drained += 1
                words.append(f"{trunk.id}: drained by {order.by} ({order.why})")
                continue
            denied = await _trunk_denial(store, trunk)
            is_open = is_open or denied is None
            is_resting = trunk.maintenance or order is not None
            words.append(trunk_words(trunk.id, denied, is_resting=is_resting))
        refusal = None
        if not is_open:
            refusal = Refuse(Reason.TRUNKS_DRAINED if drained == len(candidates) else Reason.TRUNK_CEILINGS)
        self._add("trunk", "; ".join(words), refusal)

    def unknown(self, why: str) -> Explanation:
        """Policy lets it pass; what the limits say is not known."""
        return self.found._replace(unknown=why)

    def away(self, why: str) -> Explanation:
        """The store does not answer us. What becomes of the attempt where it does not answer the edge either."""
        attempt = self._attempt
        refusal = demand.read(Unavailable(why), attempt, local=lambda: True)
        passes = f"passes, by store_away = {'' if attempt.account is None else attempt.account.store_away}"
        words = f"not asked: {why}; while the store is away such an attempt "
        self._add("limits", words + (passes if refusal is None else f"is refused, {refusal.reason}"), None)
        return self.unknown(f"the store does not answer: {why}")

    def _step(self, stage: str, words: str, foreseen: Foreseen) -> bool:
        outcome = foreseen.outcome
        refusal = demand.read(outcome, self._attempt, of_group=stage == "group")
        shadow = outcome.shadowed if isinstance(outcome, Admitted) else ()
        ceiling = outcome.ceiling if isinstance(outcome, Denied) else None
        self._add(stage, words, refusal, shadow=shadow, ceiling=ceiling)
        return refusal is not None

    def _add(
        self,
        stage: str,
        words: str,
        refusal: Refuse | None,
        *,
        shadow: tuple[str, ...] = (),
        ceiling: int | None = None,
    ) -> None:
        steps = self.found.steps
        if refusal is None:
            self.found = self.found._replace(steps=(*steps, Step(stage, words, shadow=shadow)))
            return
        reason = refusal.reason
        step = Step(stage, f"{words}: refused, {reason}", "", BASIS[reason], reason, shadow)
        profile = profile_of(self._attempt, self._snapshot)
        told = answer(reason, profile, retry_after_ms=refusal.retry_after_ms)
        self.found = self.found._replace(steps=(*steps, step), refusal=refusal, answer=told, ceiling=ceiling)


async def _foresee(store: AccountStore, verb: Admit) -> Foreseen:
    try:
        return await store.foresee(verb)
    except UnknownAccount as error:
        raise NotKnown(f"{error}: an edge that runs by this document brings it in") from error
    except ValueError as error:
        raise NotKnown(f"what the store holds of {verb.account} cannot be read: {error}") from error


async def _trunk_denial(store: AccountStore, trunk: EgressTrunk) -> Denied | None:
    """What keeps a call from it now; a token that comes within its pacing does not."""
    verb = demand.ask_trunk(trunk, uid=FORESEEN, node=_NODE, lease_ms=1)
    if verb is None:
        return None
    outcome = (await _foresee(store, verb)).outcome
    if not isinstance(outcome, Denied):
        return None
    waits = outcome.limit is Limit.CAPS and 0 < outcome.retry_after_ms <= trunk.pacing_s * 1_000
    return None if waits else outcome
