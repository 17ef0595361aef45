/** The server's end: `node server.ts IP PORT`. Tells of what it found wrong, and nothing else. */
import { createServer, type Socket } from 'node:net';
import { exchange } from './exchange.ts';
import { decodePlan, PLAN_BYTES, type Plan } from './protocol.ts';

const [ip = '127.0.0.1', port = '0'] = process.argv.slice(2);

function readPlan(socket: Socket): Promise<Plan> {
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const bytes: unknown = socket.read(PLAN_BYTES);
      if (!Buffer.isBuffer(bytes)) return;
      socket.off('readable', onReadable);
      resolve(decodePlan(bytes));
    };
    socket.on('readable', onReadable);
    socket.once('error', reject);
  });
}

async function serve(socket: Socket): Promise<void> {
  const plan = await readPlan(socket);
  const resets = plan.ending === 'server_resets';
  const { verified, sawEnd, error } = await exchange(socket, {
    sendSeed: plan.seed + 1,
    receiveSeed: plan.seed,
    bytes: plan.ending === 'orderly' ? plan.bytes : Number.POSITIVE_INFINITY,
    resetAfter: resets ? plan.bytes * Math.random() : undefined,
    random: Math.random,
  });
  const complete = sawEnd && verified === plan.bytes && error === undefined;
  if (plan.ending === 'orderly' && !complete)
    process.stdout.write(`server: ${verified} of ${plan.bytes} bytes, end ${sawEnd}, ${error}\n`);
  else if (error?.startsWith('other') === true) process.stdout.write(`server: ${error}\n`);
}

createServer({ allowHalfOpen: true, noDelay: true }, socket => {
  serve(socket).catch((error: unknown) => process.stdout.write(`server: ${String(error)}\n`));
}).listen(Number(port), ip);
