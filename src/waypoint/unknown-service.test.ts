import { test } from 'tap';
import { SimulatedMesh } from './testing/simulated-mesh.ts';

test('a connection for a service that is not known is refused, and a line says which', async t => {
  const mesh = new SimulatedMesh(1);
  t.teardown(() => mesh.close());
  await mesh.thread.listen();
  const [answer] = await mesh.send(1);
  t.match(answer, { status: 0, isClosed: true });
  t.match(mesh.lines, [
    /\twarn\t.*connection refused.* error="service \S+echo\S+ has no port 80, or is not known"/,
  ]);
});
