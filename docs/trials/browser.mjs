// A page in a real browser sees a run. Needs npm's playwright-core and Chromium; run by hand:
//   node docs/trials/browser.mjs PORT-OF-THE-DAEMON PICTURE.png
// and meanwhile create, run and delete a profile.
import http from 'node:http';
import { createRequire } from 'node:module';
const { chromium } = createRequire(process.cwd() + '/')('playwright-core');

const [port, picture] = process.argv.slice(2);
const page = `<!doctype html><title>Clown</title>
<style>body{font:15px/1.5 monospace;margin:2em;background:#fff}td{white-space:nowrap;padding:0 1.2em 0 0}</style>
<h3>ws://127.0.0.1:${port}/ws, as a page sees it</h3><table id=events></table>
<script>
const ws = new WebSocket('ws://127.0.0.1:${port}/ws');
ws.onmessage = ({ data }) => {
  const { type, timestamp, data: what } = JSON.parse(data);
  const row = document.querySelector('#events').insertRow();
  for (const text of [timestamp, type, JSON.stringify(what)]) row.insertCell().textContent = text;
  if (type === 'ProfileDeleted') document.title = 'done';
};
ws.onopen = () => { document.title = 'open'; };
</script>`;
const server = http.createServer((_, answer) => {
  answer.setHeader('content-type', 'text/html');
  answer.end(page);
});
server.listen(0, '127.0.0.1', async () => {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
  });
  const tab = await browser.newPage({ viewport: { width: 1200, height: 240 } });
  await tab.goto(`http://localhost:${server.address().port}/`);
  await tab.waitForFunction(() => document.title === 'open');
  console.log('open');
  await tab.waitForFunction(() => document.title === 'done', undefined, { timeout: 60000 });
  await tab.screenshot({ path: picture });
  await browser.close();
  server.close();
});
