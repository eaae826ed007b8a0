"""Two telephones of the baresip stack, in an environment of their own: one calls through the edge, the other answers.

    python baresip_pair.py caller EDGE_PORT HERE:PORT CALLED
    python baresip_pair.py callee HERE:PORT

The caller hangs up as soon as the call stands; the callee ends with its first call. Each prints one JSON object.
"""

import asyncio
import json
import sys

import baresip

BOUND_S = 15


def config(here: str) -> baresip.Config:
    return baresip.Config(net_interface="127.0.0.1", extra_config_text=f"sip_listen {here}\n")


async def call(edge_port: str, here: str, called: str) -> dict[str, str]:
    runtime = baresip.Runtime()
    await runtime.start(config(here))
    account = baresip.Account(user="+33612345678", domain=f"127.0.0.1:{edge_port}", password="", reg_interval=0)
    telephone = await baresip.UserAgent.create(runtime, account)
    running = await telephone.dial(f"sip:{called}@127.0.0.1:{edge_port}")
    await running.wait_established(timeout=BOUND_S)
    await running.hangup()
    await runtime.close()
    return {"call": "established"}


async def answer(here: str) -> dict[str, str]:
    runtime = baresip.Runtime()
    await runtime.start(config(here))
    account = baresip.Account(user="callee", domain=here, password="", reg_interval=0, extra_params=("catchall=yes",))
    telephone = await baresip.UserAgent.create(runtime, account)
    arrived: asyncio.Future[baresip.Call] = asyncio.get_running_loop().create_future()
    telephone.on_incoming(lambda incoming: arrived.done() or arrived.set_result(incoming))
    incoming = await asyncio.wait_for(arrived, BOUND_S)
    ended = asyncio.Event()
    incoming.on(lambda event: ended.set() if incoming.state is baresip.CallState.CLOSED else None)
    await incoming.answer()
    await asyncio.wait_for(ended.wait(), BOUND_S)
    await runtime.close()
    return {"call": "answered"}


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    print(json.dumps(asyncio.run(call(*arguments) if role == "caller" else answer(*arguments))), flush=True)
