"""Two telephones of the baresip stack, in an environment of their own: one calls through the edge, the other answers.

    python baresip_pair.py caller EDGE_HOST:PORT HERE:PORT CALLED [TRANSPORT [FOLDER]]
    python baresip_pair.py callee HERE:PORT [TRANSPORT [FOLDER]]

The caller hangs up as soon as the call stands; the callee ends with its first call. Each prints one JSON object. TLS:
FOLDER holds `ca.pem` and `telephone.pem`.
"""

import asyncio
import contextlib
import json
import sys

import baresip

BOUND_S = 15
RINGS_S = 0.3


def config(here: str, transport: str, folder: str) -> baresip.Config:
    text = f"sip_listen {here}\n"
    if transport == "tls":
        text += f"sip_certificate {folder}/telephone.pem\nsip_cafile {folder}/ca.pem\nsip_verify_server yes\n"
        text += "sip_verify_client no\n"
    return baresip.Config(net_interface=here.rpartition(":")[0].strip("[]"), extra_config_text=text)


async def call(edge: str, here: str, called: str, transport: str = "udp", folder: str = "") -> dict[str, str]:
    runtime = baresip.Runtime()
    await runtime.start(config(here, transport, folder))
    account = baresip.Account(user="+33612345678", domain=edge, password="", reg_interval=0, transport=transport)
    telephone = await baresip.UserAgent.create(runtime, account)
    suffix = "" if transport == "udp" else f";transport={transport}"
    running = await telephone.dial(f"sip:{called}@{edge}{suffix}")
    await running.wait_established(timeout=BOUND_S)
    await running.hangup()
    await runtime.close()
    return {"call": "established"}


async def answer(here: str, transport: str = "udp", folder: str = "") -> dict[str, str]:
    runtime = baresip.Runtime()
    await runtime.start(config(here, transport, folder))
    account = baresip.Account(
        user="callee", domain=here, password="", reg_interval=0, transport=transport, extra_params=("catchall=yes",)
    )
    telephone = await baresip.UserAgent.create(runtime, account)
    arrived: asyncio.Future[baresip.Call] = asyncio.get_running_loop().create_future()
    telephone.on_incoming(lambda incoming: arrived.done() or arrived.set_result(incoming))
    incoming = await asyncio.wait_for(arrived, BOUND_S)
    ended = asyncio.Event()
    incoming.on(lambda event: ended.set() if incoming.state is baresip.CallState.CLOSED else None)
    # It rings until the caller gives up, or for a moment: his stack may miss an answer that comes with the 180.
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), RINGS_S)
    await incoming.answer()
    await asyncio.wait_for(ended.wait(), BOUND_S)
    await runtime.close()
    return {"call": "answered"}


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    print(json.dumps(asyncio.run(call(*arguments) if role == "caller" else answer(*arguments))), flush=True)
