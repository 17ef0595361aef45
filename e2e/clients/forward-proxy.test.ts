import { createServer as createHttpsServer } from 'node:https';
import { createConnection } from 'node:net';
import { test } from 'tap';
import { routeMatch, routeRule } from '../../src/shared/testing/route.ts';
import { createTestCa } from '../../src/shared/testing/test-ca.ts';
import { backend, deploy } from '../../src/waypoint/testing/deploy.ts';
import { forwardProxy } from '../../src/waypoint/testing/tunnels.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';
import { type Ran, run } from './program.ts';

/** It comes with the package curl; without it this fails. */
const curl = (...args: string[]): Promise<Ran> => run('curl', ['-sS', '-k', '--max-time', '30', ...args]);

test('curl: HTTPS through a forward proxy that is a service of the mesh, and what a refusal looks like to it', async t => {
  const ca = await createTestCa('public');
  const leaf = await ca.issue('spiffe://elsewhere/ns/a/sa/target', { serverNames: ['target.example'] });
  const server = createHttpsServer({ cert: leaf.certChainPem, key: leaf.privateKeyPem }, (req, res) => {
    let bytes = 0;
    req.on('data', (part: Buffer) => (bytes += part.length));
    req.on('end', () => res.end(`${req.headers.host ?? ''} got ${bytes}\n`));
  });
  t.teardown(() => server.close());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  const proxy = forwardProxy('http1', {
    onConnect: ({ accept, authority, headers, refuse }) => {
      if (authority === 'closed.example:443') refuse(403, {}, 'closed');
      else if (headers['proxy-authorization'] === undefined)
        refuse(407, { 'proxy-authenticate': 'Basic realm="out"' }, '');
      else accept();
    },
    onTunnel: tunnel => {
      const target = createConnection({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
      target.on('error', () => tunnel.destroy());
      tunnel.on('error', () => target.destroy());
      tunnel.pipe(target).pipe(tunnel);
    },
  });
  const mesh = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => mesh.close());
  const matches = [routeMatch({ method: 'CONNECT' })];
  const { port } = await deploy(
    mesh,
    [proxy],
    of => ({ routed: true, rules: [routeRule({ matches, backends: [backend(of)] })] }),
    'http11',
  );
  const by = ['-x', `http://127.0.0.1:${port}`];
  const url = 'https://target.example/';
  const upload = ['-X', 'POST', '--data-binary', '@-'];
  t.match(
    await run(
      'curl',
      ['-sS', '-k', ...by, '-U', 'a:b', '--proxy-anyauth', ...upload, url],
      Buffer.alloc(3_000_000, 'u'),
    ),
    { code: 0, out: 'target.example got 3000000\n' },
  );
  t.match(await curl(...by, '--proxy1.0', `127.0.0.1:${port}`, '-U', 'a:b', url), {
    code: 0,
    out: 'target.example got 0\n',
  });
  const tunnelled = await curl(
    '-p',
    ...by,
    '-U',
    'a:b',
    '-w',
    '%{http_connect}',
    'https://target.example:8443/',
  );
  t.match(tunnelled, { code: 0, out: /200$/ });
  t.match(await curl(...by, url), { code: 56, out: /407/ }, 'no password');
  t.match(await curl(...by, 'https://closed.example/'), { code: 56, out: /403/ }, 'the proxy refuses');
});
