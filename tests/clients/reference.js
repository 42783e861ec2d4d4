const ws = new WebSocket('ws://127.0.0.1:8765/ws');

ws.onopen = () => {
  console.log('Connected to ringlet daemon');
};

ws.onmessage = (event) => {
  const message = JSON.parse(event.data);

  switch (message.type) {
    case 'ProfileCreated':
      console.log(`Profile ${message.data.alias} created`);
      break;
    case 'UsageUpdated':
      console.log(`Usage updated for ${message.data.profile}`);
      break;
    // Handle other events...
  }
};

ws.onclose = () => {
  console.log('Disconnected from ringlet daemon');
  // Implement reconnection logic
};
