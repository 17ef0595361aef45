/**
 * Opens connections and keeps them: `node client.ts IP PORT COUNT`. Prints `open` when each has heard from the server, so that
 * there is a whole tunnel behind it; ends with an error when one ends.
 */
import { connect } from 'node:net';

const CONCURRENCY = 64;
const [ip = '', port = '', count = ''] = process.argv.slice(2);
let left = Number(count);

function open(): Promise<void> {
  return new Promise(resolve => {
    const socket = connect({ host: ip, port: Number(port) });
    socket.once('data', () => resolve());
    socket.on('error', fail);
    socket.on('end', () => fail(new Error('a connection was ended')));
  });
}

function fail(error: Error): never {
  process.stderr.write(`idle client: ${error.message}\n`);
  process.exit(1);
}

async function worker(): Promise<void> {
  while (left-- > 0) await open();
}

await Promise.all(Array.from({ length: CONCURRENCY }, worker));
process.stdout.write('open\n');
