import asyncio
import websockets
import json

async def listen_events():
    uri = "ws://127.0.0.1:8765/ws"
    async with websockets.connect(uri) as websocket:
        async for message in websocket:
            event = json.loads(message)
            print(f"Event: {event['type']}")
            print(f"Data: {event['data']}")

asyncio.run(listen_events())
