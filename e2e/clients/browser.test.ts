import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { test } from 'tap';
import { deploy } from '../../src/waypoint/testing/deploy.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';
import { Chromium, findChromium } from './chromium.ts';
import { echoWebSockets } from './websocket-echo.ts';

/**
 * A real browser through a waypoint between HBONE peers: a page with what belongs to it, a fetch with a body, a stream of events that the
 * browser takes up again, and a WebSocket.
 */
const program = findChromium();
const skip = program === undefined && 'needs chromium on PATH (Debian package chromium)';

const IMAGES = 20;
const PAGE = `<!doctype html><title>through the mesh</title><link rel=icon href="data:,"><link rel=stylesheet href=/style.css>
<script src=/script.js></script><p id=text>page</p>
${Array.from({ length: IMAGES }, (_, i) => `<img src=/image${i}.svg>`).join('')}`;
const IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="3" height="4"/>';
const PARTS: Readonly<Record<string, readonly [type: string, body: string]>> = {
  '/': ['text/html', PAGE],
  '/style.css': ['text/css', '#text { color: rgb(1, 2, 3) }'],
  '/script.js': ['text/javascript', 'globalThis.fromScript = "ran";'],
};

/** Answers with the size and a sum of the body it got. */
function digest(req: IncomingMessage, res: ServerResponse): void {
  let bytes = 0;
  let sum = 0;
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    for (const byte of chunk) sum = (sum + byte) % 1_000_003;
  });
  req.on('end', () => res.end(JSON.stringify({ method: req.method, bytes, sum })));
}

/** Three events and an end; a browser that comes back says which it had last, and gets one more. */
function events(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  const last = req.headers['last-event-id'];
  if (last !== undefined) {
    res.write(`data: again after ${String(last)}\n\n`);
    return;
  }
  res.write('retry: 10\n\n');
  for (const id of [1, 2, 3]) res.write(`id: ${id}\ndata: event ${id}\n\n`);
  res.end();
}

function serve(req: IncomingMessage, res: ServerResponse): void {
  const { url = '' } = req;
  const [type, body] = PARTS[url] ?? (url.startsWith('/image') ? ['image/svg+xml', IMAGE] : []);
  if (url === '/digest') digest(req, res);
  else if (url === '/events') events(req, res);
  else if (type === undefined) res.writeHead(404).end();
  else res.writeHead(200, { 'content-type': type }).end(body);
}

const LOADED = `({
  title: document.title,
  color: getComputedStyle(document.getElementById('text')).color,
  script: globalThis.fromScript,
  images: [...document.images].filter(image => image.naturalWidth === 3).length,
})`;
const POSTED = `(async () => {
  const body = new Uint8Array(3_000_000).fill(7);
  const response = await fetch('/digest', { method: 'POST', body });
  return { status: response.status, ...await response.json() };
})()`;
const LISTENED = `new Promise(resolve => {
  const seen = [];
  const source = new EventSource('/events');
  source.onmessage = event => {
    seen.push(event.data);
    if (seen.length < 4) return;
    source.close();
    resolve(seen);
  };
})`;
const CHATTED = `new Promise((resolve, reject) => {
  const socket = new WebSocket('ws://' + location.host + '/room', ['chat']);
  const seen = [];
  socket.onerror = () => reject(new Error('no WebSocket'));
  socket.onopen = () => { socket.send('hello'); socket.send('ü'.repeat(100_000)); };
  socket.onmessage = event => {
    seen.push(event.data.length);
    if (seen.length === 2) socket.close(4001, 'enough');
  };
  socket.onclose = ({ code, reason, wasClean }) =>
    resolve({ protocol: socket.protocol, seen, code, reason, wasClean });
})`;

test('Chromium: a page, a fetch with a body, events, a WebSocket', { skip, timeout: 60_000 }, async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => lab.close());
  const app = createServer(serve);
  echoWebSockets(app);
  const { port } = await deploy(lab, [app]);
  const browser = new Chromium(program ?? '');
  t.teardown(() => browser.close());
  const run = await browser.open(`http://127.0.0.1:${port}/`);
  const loaded = { title: 'through the mesh', color: 'rgb(1, 2, 3)', script: 'ran', images: IMAGES };
  t.same(await run(LOADED), loaded, 'the page and all that belongs to it');
  const sum = (3_000_000 * 7) % 1_000_003;
  t.same(await run(POSTED), { status: 200, method: 'POST', bytes: 3_000_000, sum }, 'a body of 3 MB');
  const seen = ['event 1', 'event 2', 'event 3', 'again after 3'];
  t.same(await run(LISTENED), seen, 'events, and the stream is taken up again where it ended');
  const chatted = { protocol: 'chat', seen: [5, 100_000], code: 4001, reason: 'enough', wasClean: true };
  t.same(await run(CHATTED), chatted, 'a WebSocket, to its end');
  // The page and its parts, and the three above, of which the stream was asked for twice.
  const lines = await lab.access(IMAGES + 3 + 4);
  t.equal(lines.filter(line => /response_code=101 response_flags="-"/.test(line)).length, 1);
  t.equal(lines.filter(line => line.includes('/events')).length, 2);
  t.same(
    lines.filter(line => / response_code=5\d\d /.test(line)),
    [],
  );
});
