import { createServer, type IncomingMessage } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { test } from 'tap';
import { ANY_HTTP_REQUEST } from '#shared/authz/policy.ts';
import { noRoutes, policy } from '#shared/testing/topology.ts';
import { ask, deploy } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

const DENIED = [
  policy('admin', 'deny', [
    { http: { ...ANY_HTTP_REQUEST, paths: ['/admin', '/admin/'].map(value => ({ kind: 'prefix', value })) } },
  ]),
  policy('host', 'deny', [
    {
      http: {
        ...ANY_HTTP_REQUEST,
        hosts: ['admin.example.com', 'echo.default.svc.cluster.local'].map(value => ({
          kind: 'exact',
          value,
        })),
      },
    },
  ]),
];

const get = (target: string, host = 'x', version = '1.1'): string =>
  `GET ${target} HTTP/${version}\r\n${host === '' ? '' : `Host: ${host}\r\n`}Connection: close\r\n\r\n`;

/** What is written, and how it is answered; `reset`: as a connection that is not HTTP, which a DENY of requests holds for. */
const HTTP1: readonly (readonly [sentence: string, request: string, answer: string])[] = [
  ['an honest one', get('/ok'), '200'],
  ['the path itself', get('/admin/users'), '403'],
  ['slashes doubled', get('//admin/users'), '403'],
  ['a slash encoded', get('/%2Fadmin/users'), '403'],
  ['a slash within encoded', get('/admin%2fusers'), '403'],
  ['letters encoded', get('/%61dmin'), '403'],
  ['a segment that is a dot', get('/./admin'), '403'],
  ['a dot with parameters', get('/.;x/admin'), '403'],
  ['parameters', get('/admin;x=1/users'), '403'],
  ['a parent', get('/ok/../admin'), '403'],
  ['a parent with parameters', get('/ok/..;/admin'), '400'],
  ['a parent before an encoded slash', get('/ok/..%2fadmin'), '400'],
  ['a parent encoded altogether', get('/ok%2f%2e%2e%2fadmin'), '400'],
  ['backslashes', get('/ok\\..\\admin'), '403'],
  ['an absolute form', get('http://x/admin'), '403'],
  ['another host in the absolute form', get('http://y/ok', 'x'), '400'],
  ['the host in capitals', get('/ok', 'ADMIN.example.com'), '403'],
  ['the host with the dot of the root', get('/ok', 'admin.example.com.'), '403'],
  ['…and a port', get('/ok', 'admin.example.com.:80'), '403'],
  ['the host percent-encoded', get('/ok', 'admin%2eexample.com'), '400'],
  ['no host, which is the name of the service', get('/ok', '', '1.0'), '403'],
  ['an empty line first', `\r\n${get('/admin')}`, 'reset'],
  ['a method that nobody knows', get('/admin').replace('GET', 'BREW'), 'reset'],
];

const HTTP2: readonly (readonly [
  sentence: string,
  fields: Record<string, string>,
  status: number | 'reset',
])[] = [
  ['the path itself', { ':path': '/admin' }, 403],
  ['slashes doubled', { ':path': '//admin' }, 403],
  ['a parent with parameters', { ':path': '/ok/..;/admin' }, 400],
  ['the host with the dot of the root', { ':authority': 'admin.example.com.' }, 403],
  ['the host percent-encoded', { ':authority': 'admin%2eexample.com' }, 400],
  ['two hosts in one', { ':authority': 'x,admin.example.com' }, 400],
  ['a host in place of the authority', { ':authority': '', host: 'admin.example.com' }, 'reset'],
];

test('however a request is written, it does not get past a DENY that it is meant to be denied by', async t => {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => lab.close());
  const reached: string[] = [];
  const app = createServer((request: IncomingMessage, response) => {
    reached.push(request.url ?? '');
    response.end();
  });
  const { echo, port } = await deploy(lab, [app]);
  lab.apply({ routes: [noRoutes(echo, { authorizationPolicies: DENIED })] });
  for (const [sentence, request, answer] of HTTP1) t.equal(await written(port, request), answer, sentence);
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  for (const [sentence, fields, status] of HTTP2) {
    const head = { ':path': '/ok', ':authority': 'x', ...fields };
    const found = await new Promise(resolve => {
      const stream = session.request(head);
      stream.once('response', answered => resolve(answered[constants.HTTP2_HEADER_STATUS]));
      stream
        .once('error', () => resolve('reset'))
        .resume()
        .end();
    });
    t.equal(found, status, `HTTP/2: ${sentence}`);
  }
  t.same(reached, ['/ok'], 'the server has seen the honest one');
});

/** What is asked for, how it is answered with slashes merged, and decoded and merged, and what the server gets then. */
const NORMALIZED: readonly (readonly [sentence: string, target: string, merged: string, decoded: string])[] =
  [
    ['an honest one', '/ok?x=//%2f', '200 /ok?x=//%2f', '200 /ok?x=//%2f'],
    ['slashes doubled are one', '//ok//a', '200 /ok/a', '200 /ok/a'],
    ['a slash encoded', '/ok%2fa', '200 /ok%2fa', '200 /ok/a'],
    ['what is denied', '/admin/users', '403', '403'],
    ['doubled', '//admin//users', '403', '403'],
    ['encoded', '/%2fadmin%5cusers', '403', '403'],
    ['with parameters', '/admin;x/users', '403', '403'],
    ['a parent before an encoded slash', '/ok/..%2fadmin', '400', '403'],
    ['one that leads to what is let in', '/admin%2f..%2fok', '400', '200 /ok'],
    ['a parent with parameters', '/ok/..;/admin', '400', '400'],
    ['what no ALLOW is for', '/else', '403', '403'],
    ['though it is hidden behind what one is for', '/ok%2f..%2felse', '400', '403'],
  ];

test('with slashes merged, or decoded, policies hold for what the server gets', async t => {
  for (const [normalization, column] of [
    ['merge_slashes', 2],
    ['decode_and_merge_slashes', 3],
  ] as const) {
    const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
    t.teardown(() => lab.close());
    const app = createServer((request, response) => void response.end(request.url));
    const allowed = policy('ok', 'allow', [
      {
        http: {
          ...ANY_HTTP_REQUEST,
          paths: [
            { kind: 'exact', value: '/ok' },
            { kind: 'exact', value: '/ok/a' },
            { kind: 'exact', value: '/ok%2fa' },
          ],
        },
      },
    ]);
    const { echo, port } = await deploy(lab, [app]);
    const authorizationPolicies = [...DENIED, allowed];
    lab.apply({ routes: [noRoutes(echo, { authorizationPolicies, pathNormalization: normalization })] });
    for (const row of NORMALIZED) {
      const { body, status } = await ask(port, { path: row[1], headers: { host: 'x' } });
      t.equal(status === 200 ? `200 ${body}` : String(status), row[column], `${normalization}: ${row[0]}`);
    }
  }
});

function written(port: number, request: string): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request, 'latin1'));
    let text = '';
    socket.setEncoding('latin1').on('data', (data: string) => (text += data));
    socket.on('error', () => resolve('reset'));
    socket.on('close', () => resolve(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 'closed'));
  });
}
