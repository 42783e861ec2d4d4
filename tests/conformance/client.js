// Node's ws.

const assert = require("node:assert");
const { once } = require("node:events");
const WebSocket = require("ws");

const uri = `ws://${process.argv[2]}/ws`;

async function main() {
  // It offers compression, which is not taken up.
  const replay = new WebSocket(`${uri}?since=0`);
  const [event] = await once(replay, "message");
  assert.equal(JSON.parse(event).type, "DaemonStarted");
  assert.equal(replay.extensions, "");
  replay.close(1000);
  assert.equal((await once(replay, "close"))[0], 1000);

  const client = new WebSocket(uri);
  await once(client, "open");
  client.ping("hello");
  assert.equal(String((await once(client, "pong"))[0]), "hello");
  client.send('{"action":"subscribe",', { fin: false });
  client.send('"events":["Profile*"],"id":1}', { fin: true });
  const [reply] = await once(client, "message");
  assert.equal(JSON.parse(reply).type, "Subscribed");
  client.send(Buffer.from("binary"));
  assert.equal((await once(client, "close"))[0], 1003);

  const large = new WebSocket(uri);
  await once(large, "open");
  large.send("x".repeat(70_000));
  assert.equal((await once(large, "close"))[0], 1009);
  console.log(`Node's ws ${require("ws/package.json").version}: ok`);
}

const late = setTimeout(() => assert.fail("no answer in 30 seconds"), 30_000);
main().then(() => clearTimeout(late));
