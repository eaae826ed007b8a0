"""What a store holds of calls: books_of.py URL; one line of JSON, holder -> [in use, held micros, run out]."""

import asyncio
import json
import sys

from limits.accounts import AccountStore


async def main(url: str) -> None:
    async with AccountStore(url) as accounts:
        found = {name: await accounts.peek(name) for name in await accounts.holders()}
    print(json.dumps({name: [one.in_use, one.held_micros, one.expired] for name, one in found.items()}))


asyncio.run(main(sys.argv[1]))
