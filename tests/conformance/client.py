"""Python's websockets."""

import asyncio
import json
import sys

import websockets


async def main(address):
    uri = f"ws://{address}/ws"
    # It offers compression, which is not taken up.
    async with websockets.connect(f"{uri}?since=0") as client:
        assert client.protocol.extensions == []
        assert json.loads(await client.recv())["type"] == "DaemonStarted"
    assert client.close_code == 1000

    async with websockets.connect(uri) as client:
        await (await client.ping(b"hello"))
        # In pieces, with a character cut in two.
        message = json.dumps({"action": "ping", "id": "ü"}, ensure_ascii=False).encode()
        cut = message.index(b"\xc3") + 1
        await client.send([message[:cut], message[cut:]], text=True)
        assert json.loads(await client.recv())["data"] == {"id": "ü"}

    for message, code in [(b"binary", 1003), ("x" * 70_000, 1009)]:
        async with websockets.connect(uri) as client:
            await client.send(message)
            try:
                await client.recv()
            except websockets.ConnectionClosed as closed:
                assert closed.rcvd.code == code, closed
            else:
                raise AssertionError("not closed")
    print(f"Python's websockets {websockets.__version__}: ok")


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 30))
