import { createServer } from 'node:http';
import { test } from 'tap';
import { deploy } from '../../src/waypoint/testing/deploy.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';
import { echoWebSockets } from './websocket-echo.ts';

/** The runtime's own WebSocket client, which knows no more of a waypoint than a browser does, with a server by hand. */
test("the runtime's WebSocket: messages small and large, text and binary, and an end with a reason", async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => lab.close());
  const app = createServer();
  echoWebSockets(app);
  const { port } = await deploy(lab, [app]);
  const client = new WebSocket(`ws://127.0.0.1:${port}/room?id=1`, ['chat']);
  client.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    client.addEventListener('open', resolve);
    client.addEventListener('error', () => reject(new Error('no connection')));
  });
  t.equal(client.protocol, 'chat');
  const ask = (message: string | Uint8Array<ArrayBuffer>): Promise<unknown> =>
    new Promise(resolve => {
      client.addEventListener('message', (event: { readonly data: unknown }) => resolve(event.data), {
        once: true,
      });
      client.send(message);
    });
  t.equal(await ask('hello'), 'hello');
  t.equal(await ask('ü'.repeat(100_000)), 'ü'.repeat(100_000));
  const binary = new Uint8Array(3_000_000).fill(7);
  const back = await ask(binary);
  t.ok(
    back instanceof ArrayBuffer && Buffer.from(back).equals(Buffer.from(binary)),
    '3 MB come back as they were',
  );
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    client.addEventListener('close', ({ code, reason }) => resolve({ code, reason }));
  });
  client.close(4001, 'enough');
  t.match(await closed, { code: 4001, reason: 'enough' });
  const [line] = await lab.access(1);
  t.match(line, /response_code=101 response_flags="-"/);
});
