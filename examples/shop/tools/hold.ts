import { connect } from 'node:net';
import { parseArgs } from 'node:util';

/**
 * Holds one TCP connection open, sends a line every 100 ms, and prints a line of JSON for what happens: `open` with the
 * server's greeting, `closed` with the reason and the wall clock. Exits when the connection ends or `--seconds` are over.
 *
 *   node hold.ts --host ledger.shop --port 7000 --seconds 30
 */
const { values } = parseArgs({
  options: { host: { type: 'string' }, port: { type: 'string' }, seconds: { type: 'string', default: '30' } },
});
const INTERVAL_MS = 100;

function report(event: string, fields: Record<string, unknown>): void {
  console.log(JSON.stringify({ event, atMs: Date.now(), ...fields }));
}

let greeted = false;
let answers = 0;
const socket = connect({ host: values.host ?? '', port: Number(values.port) });
const pulse = setInterval(() => socket.write('still here\n'), INTERVAL_MS);
const deadline = setTimeout(() => finish('kept until the end'), Number(values.seconds) * 1_000);
socket.on('data', chunk => {
  if (greeted) answers++;
  else report('open', { greeting: chunk.toString('utf8').trim() });
  greeted = true;
});
socket.on('end', () => finish('end'));
socket.on('error', error => finish('code' in error ? String(error.code) : error.message));

function finish(reason: string): void {
  clearInterval(pulse);
  clearTimeout(deadline);
  socket.destroy();
  report('closed', { reason, answers });
  process.exit(0);
}
