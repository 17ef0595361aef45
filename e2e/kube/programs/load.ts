import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';

/**
 * Client of the cluster tests: goes on for a time and tells, as one line of JSON, how often what failed and when.
 *
 *   load.ts --seconds 10 --rate 500 http://server:8080/        requests, by kept connections
 *   load.ts --seconds 10 --rate 50 --fresh http://server:8080/ a new connection for each
 *   load.ts --seconds 10 --stream server:9000                  one connection, a line every 20 ms
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '100' },
    fresh: { type: 'boolean', default: false },
    stream: { type: 'boolean', default: false },
  },
});
const durationMs = Number(values.seconds) * 1_000;
const target = positionals[0] ?? '';
const STREAM_INTERVAL_MS = 20;
const TIMEOUT_MS = 5_000;
const MAX_FAILURES_TOLD = 20;
/** After the last request, for what is under way. */
const GRACE_MS = TIMEOUT_MS + 500;

const started = performance.now();
const failures: { readonly atMs: number; readonly why: string }[] = [];
const took: number[] = [];
let failed = 0;
const elapsed = (): number => Math.round(performance.now() - started);

function fail(why: string): void {
  failed++;
  if (failures.length < MAX_FAILURES_TOLD) failures.push({ atMs: elapsed(), why });
}

process.on('SIGTERM', report);
if (values.stream) stream();
else requests(Number(values.rate));

function requests(rate: number): void {
  const agent = new Agent({ keepAlive: !values.fresh, maxSockets: values.fresh ? Infinity : 32 });
  let sent = 0;
  const timer = setInterval(() => {
    const now = performance.now() - started;
    for (; sent < (Math.min(now, durationMs) / 1_000) * rate; sent++) once(agent);
    if (now < durationMs) return;
    clearInterval(timer);
    setTimeout(report, took.length + failed >= sent ? 200 : GRACE_MS);
  }, 2);
}

function once(agent: Agent): void {
  const began = performance.now();
  let told = false;
  const done = (why?: string): void => {
    if (told) return;
    told = true;
    if (why === undefined) took.push(performance.now() - began);
    else fail(why);
  };
  const outgoing = request(target, { agent, timeout: TIMEOUT_MS }, response => {
    const status = response.statusCode ?? 0;
    response.on('error', error => done(error.message));
    response.on('end', () => done(status < 400 ? undefined : `status ${status}`));
    response.resume();
  });
  // A kept connection that the server closed as we wrote: HTTP clients try that again, and so do we.
  outgoing.on('error', (error: NodeJS.ErrnoException) => {
    if (outgoing.reusedSocket && error.code === 'ECONNRESET' && !told) {
      told = true;
      once(agent);
    } else done(error.message);
  });
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
  outgoing.end();
}

function stream(): void {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(target) ?? [];
  const socket = connect(Number(port), host);
  let sent = 0;
  let received = 0;
  let lastAt = performance.now();
  let over = false;
  const end = (why?: string): void => {
    if (over) return;
    over = true;
    if (why !== undefined) fail(why);
    clearInterval(timer);
    socket.destroy();
    report();
  };
  socket.on('data', chunk => {
    const lines = chunk.toString('latin1').split('\n').length - 1;
    received += lines;
    const now = performance.now();
    for (let i = 0; i < lines; i++) took.push(now - lastAt);
    lastAt = now;
  });
  socket.on('error', error => end(error.message));
  socket.on('close', () => end(`closed by the other side after ${sent} lines sent, ${received} received`));
  const timer = setInterval(() => {
    if (elapsed() >= durationMs) return end();
    if (performance.now() - lastAt > TIMEOUT_MS) return end(`silent for ${TIMEOUT_MS} ms`);
    socket.write(`line ${++sent}\n`);
  }, STREAM_INTERVAL_MS);
}

function report(): void {
  took.sort((a, b) => a - b);
  const at = (share: number): number => Number((took[Math.floor(took.length * share)] ?? 0).toFixed(2));
  const latency = { p50: at(0.5), p99: at(0.99), max: Number((took.at(-1) ?? 0).toFixed(2)) };
  const line = JSON.stringify({ ok: took.length, failed, seconds: elapsed() / 1_000, latency, failures });
  process.stdout.write(`${line}\n`, () => process.exit(0));
}
