// The WebSocket of browsers, as Deno has it.

const uri = `ws://${Deno.args[0]}/ws`;

const next = (socket, name) =>
  new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));

function check(actual, expected) {
  if (actual !== expected) throw new Error(`${actual}, not ${expected}`);
}

const late = setTimeout(() => {
  throw new Error("no answer in 30 seconds");
}, 30_000);

const replay = new WebSocket(`${uri}?since=0`);
check(JSON.parse((await next(replay, "message")).data).type, "DaemonStarted");
check(replay.extensions, "");
replay.close(1000);
const closed = await next(replay, "close");
check(closed.code, 1000);
check(closed.wasClean, true);

const client = new WebSocket(uri);
await next(client, "open");
client.send('{"action":"ping","id":1}');
check(JSON.parse((await next(client, "message")).data).type, "Pong");
client.send(new Uint8Array([1, 2, 3]));
check((await next(client, "close")).code, 1003);

clearTimeout(late);
console.log(`Deno's WebSocket ${Deno.version.deno}: ok`);
