// npm's ws, used as its documentation shows for broadcasting: a send for each client.
const { WebSocketServer } = require("ws");
const readline = require("node:readline");

const [head, tail] = process.argv.slice(2);
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false }, () => {
  console.log(`ready ${server.address().port}`);
});
server.on("connection", (socket, request) => {
  socket.wants = !request.url.includes("events=");
});

let next = 0;
readline.createInterface({ input: process.stdin }).on("line", (order) => {
  const count = Number(order.split(" ")[1]);
  const events = [];
  for (let index = next; index < next + count; index += 1) {
    events.push(Buffer.from(head + String(index).padStart(10, "0") + tail));
  }
  next += count;
  const began = process.hrtime.bigint();
  let sent = 0;
  // Sockets are written between the slices; all at once is slower.
  const slice = () => {
    for (const end = Math.min(sent + 100, count); sent < end; sent += 1) {
      for (const client of server.clients) {
        if (client.wants) client.send(events[sent], { binary: false });
      }
    }
    if (sent < count) setImmediate(slice);
    else console.log(`${began} ${process.hrtime.bigint()}`);
  };
  slice();
});
