import { createTestEngine } from '#shared/testing/engine.ts';
import { Http2Connection } from '#shared/http2/connection.ts';
import { systemClock } from '#shared/lifecycle/clock.ts';

/** The client that h2specd starts for each case, with a URL: one GET, then it stays until the connection ends. */

const url = new URL(process.argv.at(-1) ?? '');
const engine = createTestEngine({ clock: systemClock });
const remote = { ip: url.hostname, port: Number(url.port) };
const channel = await engine.connect({ remote, timeoutMs: 2_000 });
// h2specd takes 16 KiB for the largest frame whatever we announce.
const connection = new Http2Connection(
  'client',
  channel,
  systemClock,
  { maxFrameBytes: 16_384 },
  {
    onStream() {
      throw new Error('a server opened a stream');
    },
    onGoaway() {},
    onCapacity() {},
    onClose() {},
  },
);
const fields = [':method', 'GET', ':scheme', 'http', ':path', url.pathname, ':authority', url.host];
connection.openStream(fields, true, { onHeaders() {}, onData() {}, onEnd() {}, onReset() {}, onDrain() {} });
