"""What stands of a thing that a command changes: read before and after, so that the audit can tell both (I/O)."""

from collections.abc import Mapping

Values = dict[str, str]


async def values_of(url: str, words: str, params: Mapping[str, object]) -> Values:
    """An account's values, the policy in force, what is ordered of a trunk, a threshold of credit; nothing of
    what is none of these. Raises StoreUnavailable."""
    group = words.partition(" ")[0]
    if group == "account":
        return await _account(url, str(params.get("account") or ""))
    if group == "policy":
        return await _policy(url)
    if group == "trunk":
        return await _trunk(url, str(params.get("trunk") or ""))
    if words == "alerts credit":
        return await _credit(url, str(params.get("account") or ""))
    return {}


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Values]:
    """What is not as it was; empty: nothing."""
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not changed:
        return {}
    return {
        "before": {name: before[name] for name in changed if name in before},
        "after": {name: after[name] for name in changed if name in after},
    }


async def _account(url: str, name: str) -> Values:
    from limits import fields
    from limits.account import AccountId, is_holder_id
    from limits.accounts import AccountStore
    from limits.errors import UnknownAccount
    from limits.keys import VALUE_FIELDS

    if not is_holder_id(name):
        return {}
    async with AccountStore(url) as store:
        try:
            usage = await store.peek(AccountId(name))
        except (UnknownAccount, ValueError):
            return {}
    account = usage.account
    values = {field: fields.to_text(field, getattr(account, field)) for field in VALUE_FIELDS}
    return {**values, "generation": str(account.generation), "balance_micros": str(usage.balance_micros)}


async def _policy(url: str) -> Values:
    """The generation in force and the digests of its parts: which file of it is another one."""
    from limits.documents import DocumentStore

    async with DocumentStore(url) as store:
        head = await store.head()
        version = await store.version(head.generation) if head.generation else None
    if version is None:
        return {"generation": str(head.generation)}
    return {"generation": str(head.generation), **{part.name: f"sha256 {part.sha256}" for part in version.parts}}


async def _trunk(url: str, trunk: str) -> Values:
    from edge.config.trunk_orders import DOCUMENT
    from edge.trunks.ordering import in_force
    from limits.documents import Damaged, DocumentStore

    async with DocumentStore(url, DOCUMENT) as store:
        try:
            order = (await in_force(store)).orders.get(trunk)
        except Damaged:
            return {}  # the command says it
    return {"ordered": ""} if order is None else {"ordered": order.ordered.value, "by": order.by, "why": order.why}


async def _credit(url: str, account: str) -> Values:
    from limits.alerts import AlertStore

    async with AlertStore(url) as store:
        found = (await store.credit()).get(account)
    return {"below_micros": "" if found is None else str(found)}
