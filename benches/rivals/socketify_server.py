"""PyPI's socketify: `publish` of uWebSockets, to a topic that all are subscribed to."""

import socket
import sys
import time

from socketify import App, OpCode

HEAD, TAIL = sys.argv[1:]
following = 0
app = App()


def upgrade(response, request, context):
    wants = request.get_query("events") is None
    response.upgrade(
        request.get_header("sec-websocket-key"),
        request.get_header("sec-websocket-protocol"),
        request.get_header("sec-websocket-extensions"),
        context,
        {"wants": wants},
    )


def opened(connection):
    data = connection.get_user_data()
    connection.subscribe("events" if data["wants"] else "others")


def order():
    global following
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    count = int(line.split()[1])
    events = [(HEAD + str(index).zfill(10) + TAIL).encode() for index in range(following, following + count)]
    following += count
    began = time.monotonic_ns()
    for event in events:
        app.publish("events", event, OpCode.TEXT)
    print(began, time.monotonic_ns(), flush=True)


def listening(config):
    print("ready", port, flush=True)


app.ws(
    "/ws",
    {
        "compression": 0,
        "idle_timeout": 0,
        # Nothing may be dropped.
        "max_backpressure": 1 << 30,
        "upgrade": upgrade,
        "open": opened,
        "message": lambda *_: None,
    },
)
# It cannot tell which port it got when it is given none.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
app.listen({"port": port, "host": "127.0.0.1"}, listening)
app.loop.loop.add_reader(sys.stdin.fileno(), order)
app.run()
