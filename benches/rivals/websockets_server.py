"""PyPI's websockets: `broadcast` to all connections."""

import asyncio
import sys
import time

from websockets.asyncio.server import broadcast, serve

HEAD, TAIL = sys.argv[1:]
everybody = set()


async def client(connection):
    wants = "events=" not in connection.request.path
    if wants:
        everybody.add(connection)
    await connection.wait_closed()
    everybody.discard(connection)


async def main():
    server = await serve(client, "127.0.0.1", 0, compression=None, ping_interval=None)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    following = 0
    while order := await loop.run_in_executor(None, sys.stdin.readline):
        count = int(order.split()[1])
        events = [HEAD + str(index).zfill(10) + TAIL for index in range(following, following + count)]
        following += count
        began = time.monotonic_ns()
        for number, event in enumerate(events, 1):
            broadcast(everybody, event)
            # Sockets are written between the slices.
            if number % 100 == 0:
                await asyncio.sleep(0)
        print(began, time.monotonic_ns(), flush=True)


asyncio.run(main())
