import { Agent, get } from 'node:http';
import { parseArgs } from 'node:util';

/**
 * Sends requests and prints one line of JSON: how many, by status, by version that answered, errors, and how long.
 *
 *   node load.ts --url http://payments.shop:8080/charge --requests 2000 --concurrency 8
 *   node load.ts --url … --seconds 30            until the time is over
 *   node load.ts --url … --header x-user=tester  a header on every request; --close for a new connection each
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    requests: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    concurrency: { type: 'string', default: '1' },
    header: { type: 'string', multiple: true, default: [] },
    close: { type: 'boolean', default: false },
    pauseMs: { type: 'string', default: '0' },
  },
});
const REQUEST_TIMEOUT_MS = 10_000;

const url = values.url;
if (url === undefined) {
  console.error('load.ts: --url is required');
  process.exit(2);
}
const concurrency = Number(values.concurrency);
const headers = Object.fromEntries(
  values.header.map(h => [h.slice(0, h.indexOf('=')), h.slice(h.indexOf('=') + 1)] as const),
);
const agent = new Agent({ keepAlive: !values.close, maxSockets: concurrency });
const byStatus: Record<string, number> = {};
const byVersion: Record<string, number> = {};
const errors: Record<string, number> = {};
const started = performance.now();
const until = values.seconds === undefined ? undefined : started + Number(values.seconds) * 1_000;
let left = until === undefined ? Number(values.requests) : Number.POSITIVE_INFINITY;
let total = 0;
let lastBody = '';

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}

function request(target: string): Promise<void> {
  return new Promise(resolve => {
    const call = get(target, { agent, headers, timeout: REQUEST_TIMEOUT_MS }, response => {
      count(byStatus, String(response.statusCode));
      const version = response.headers['x-version'];
      if (typeof version === 'string') count(byVersion, version);
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => {
        lastBody = body;
        resolve();
      });
      response.on('error', fail);
    });
    const fail = (error: Error): void => {
      count(errors, 'code' in error ? String(error.code) : error.message);
      resolve();
    };
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.on('error', fail);
  });
}

async function worker(target: string): Promise<void> {
  while (left > 0 && (until === undefined || performance.now() < until)) {
    left--;
    total++;
    await request(target);
    if (Number(values.pauseMs) > 0) await new Promise(resolve => setTimeout(resolve, Number(values.pauseMs)));
  }
}

await Promise.all(Array.from({ length: concurrency }, () => worker(url)));
agent.destroy();
const seconds = (performance.now() - started) / 1_000;
console.log(JSON.stringify({ total, byStatus, byVersion, errors, seconds, lastBody }));
