"""A sloppy legacy caller: aiosip 0.2.0, in an environment of its own. Prints one JSON object of what it was told.

    python aiosip_caller.py call|cancel EDGE_PORT HERE HERE_PORT CALL_ID

It sends ACK and BYE to the callee's address of record without any Route, all with the branch of its INVITE, and its
CANCEL with a branch of its own.
"""

import asyncio
import collections
import collections.abc
import json
import sys
import types

asyncio.coroutine = types.coroutine  # the two lines it needs on today's Python
collections.MutableMapping = collections.abc.MutableMapping

import aiosip  # noqa: E402

CALLED = "sip:+33145000009@127.0.0.1:{}"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
BOUND_S = 8


async def main(what: str, edge_port: int, here: str, here_port: int, call_id: str) -> dict[str, int]:
    application = aiosip.Application(loop=asyncio.get_running_loop())
    dialog = await application.start_dialog(
        from_uri=f"sip:+33612345678@{here}:{here_port}",
        to_uri=CALLED.format(edge_port),
        call_id=call_id,
        local_addr=(here, here_port),
        remote_addr=("127.0.0.1", edge_port),
    )
    if what == "call":
        call = await asyncio.wait_for(aiosip.Call.invite(dialog, sdp=SDP), BOUND_S)
        await asyncio.wait_for(call.close(), BOUND_S)  # BYE; asserts its 200
        return {"invite": 200, "bye": 200}
    invite = dialog.send_message("INVITE", payload=SDP)
    cancel = await asyncio.wait_for(dialog.send_message("CANCEL"), BOUND_S)
    final = await asyncio.wait_for(invite, BOUND_S)
    return {"cancel": cancel.status_code, "invite": final.status_code}


if __name__ == "__main__":
    name, edge_port, here, here_port, call_id = sys.argv[1:]
    print(json.dumps(asyncio.run(main(name, int(edge_port), here, int(here_port), call_id))))
