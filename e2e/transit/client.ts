/**
 * The client's end: `node client.ts IP PORT BYTES CONNECTIONS`. Prints one line of JSON at the end, and meanwhile how much has been
 * checked (`checked BYTES`).
 */
import { connect } from 'node:net';
import { exchange } from './exchange.ts';
import { encodePlan, ENDINGS, type Plan } from './protocol.ts';

const PROGRESS_MS = 5_000;
const MAX_CONNECTION_BYTES = 32 * 1024 * 1024;

const [ip = '127.0.0.1', port = '0', bytes = '0', connections = '1'] = process.argv.slice(2);
const faults: string[] = [];
const counts = { orderly: 0, client_resets: 0, server_resets: 0 };
let verified = 0;
let seed = Math.floor(Math.random() * 2 ** 30);

function newPlan(): Plan {
  // Most connections end in order: those prove the most.
  const ending = Math.random() < 0.6 ? 'orderly' : (ENDINGS[1 + Math.floor(Math.random() * 2)] ?? 'orderly');
  return { seed: (seed += 2), ending, bytes: 1 + Math.floor(Math.random() ** 3 * MAX_CONNECTION_BYTES) };
}

async function play(plan: Plan): Promise<void> {
  const socket = connect({ host: ip, port: Number(port), allowHalfOpen: true, noDelay: true });
  socket.write(encodePlan(plan));
  const result = await exchange(socket, {
    sendSeed: plan.seed,
    receiveSeed: plan.seed + 1,
    bytes: plan.ending === 'orderly' ? plan.bytes : Number.POSITIVE_INFINITY,
    resetAfter: plan.ending === 'client_resets' ? plan.bytes * Math.random() : undefined,
    random: Math.random,
  });
  verified += result.verified;
  counts[plan.ending]++;
  const told = `${plan.ending}: ${result.verified} of ${plan.bytes} bytes, end ${result.sawEnd}, ${result.error}`;
  if (result.error?.startsWith('other') === true) faults.push(told);
  else if (plan.ending === 'orderly') {
    if (!result.sawEnd || result.verified !== plan.bytes || result.error !== undefined) faults.push(told);
  } else if (plan.ending === 'server_resets' && result.sawEnd) faults.push(`a reset came as an end: ${told}`);
}

async function worker(): Promise<void> {
  while (verified < Number(bytes) && faults.length < 10) await play(newPlan());
}

const progress = setInterval(() => process.stdout.write(`checked ${verified}\n`), PROGRESS_MS);
await Promise.all(Array.from({ length: Number(connections) }, worker));
clearInterval(progress);
process.stdout.write(`${JSON.stringify({ verified, counts, faults })}\n`);
