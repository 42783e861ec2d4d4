// Loaded before reference.js: Node has no WebSocket of its own here, and the test wants to see
// every message, also those that the reference's client has no case for.
const WebSocket = require('ws');

globalThis.WebSocket = class extends WebSocket {
  constructor(address) {
    super(address);
    this.on('message', (message) => console.error(JSON.parse(message).type));
  }
};
