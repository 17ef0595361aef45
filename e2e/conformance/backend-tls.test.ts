import { once } from 'node:events';
import { createSecureServer, type Http2ServerRequest } from 'node:http2';
import { text } from 'node:stream/consumers';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { type Test, test } from 'tap';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { ask } from '../../src/waypoint/testing/deploy.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';
import { TranslatedMesh, WAYPOINT_NAMESPACE } from './mesh-lab.ts';

/**
 * What Gateway API's suite v1.6.3 asks of BackendTLSPolicies, on a mesh: there all of it is of Gateways, which this mesh has none
 * of. Policies as YAML, through the controller's translation, on a real waypoint, to a server that knows nothing of a mesh: in a pod
 * that takes tunnels, and in one that takes none.
 */
const VIP = '10.96.0.1';
const FRONT = '10.96.0.2';
const [ca, other] = await Promise.all([createTestCa('backend'), createTestCa('other')]);
const leaf = await ca.issue('spiffe://abc.example.com/ns/test/sa/identity', {
  serverNames: ['abc.example.com', 'other.example.com'],
});

const CONFIG_MAPS = ['ca', 'wrong', 'malformed'].map((name, i) => {
  const pem = [ca.rootPem, other.rootPem, 'malformed'][i] ?? '';
  return configMap(name, pem);
});

function configMap(name: string, pem: string): string {
  return `
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}, namespace: default}
data: {ca.crt: ${JSON.stringify(pem)}}`;
}

/** Port 443 is declared to be TLS, 8443 not declared. */
const service = (name: string, vip: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  clusterIP: ${vip}
  selector: {app: tls-backend}
  ports: [{name: https-1, port: 443, targetPort: tls}, {name: btls, port: 8443, targetPort: tls}]`;

const pod = (ip: string, port: number, inMesh: boolean): string => `
apiVersion: v1
kind: Pod
metadata:
  name: tls-backend
  namespace: default
  labels: {app: tls-backend}
  annotations: {${inMesh ? 'ambient.istio.io/redirection: enabled' : ''}}
spec:
  nodeName: node-a
  serviceAccountName: echo
  containers: [{ports: [{name: tls, containerPort: ${port}}]}]
status: {phase: Running, podIPs: [{ip: ${ip}}], conditions: [{type: Ready, status: "True"}]}`;

interface PolicyYaml {
  readonly name?: string;
  readonly hostname?: string;
  readonly section?: string;
  readonly reference?: string;
  readonly subjectAltNames?: string;
  readonly created?: string;
}

function policy(options: PolicyYaml = {}): string {
  const { created = '', hostname = 'abc.example.com', name = 'it', section, subjectAltNames = '' } = options;
  const { reference = 'kind: ConfigMap, name: ca' } = options;
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: ${name}, namespace: default, creationTimestamp: "${created}"}
spec:
  targetRefs: [{group: "", kind: Service, name: backend${section === undefined ? '' : `, sectionName: ${section}`}}]
  validation:
    hostname: ${hostname}
    caCertificateRefs: [{group: "", ${reference}}]
    subjectAltNames: [${subjectAltNames}]`;
}

interface Deployed {
  readonly mesh: TranslatedMesh;
  readonly lab: WaypointLab;
  /** Status and the name that the server was asked for; the reason where the status is 503. */
  readonly get: (vip?: string, port?: number) => Promise<string>;
}

interface Where {
  readonly engine: 'node' | 'native';
  readonly inMesh: boolean;
}

/** The connection was cut. */
const REFUSED = { status: 'refused', body: '' };

async function deploy(t: Test, { engine, inMesh }: Where, ...yaml: readonly string[]): Promise<Deployed> {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 }, Math.random, undefined, engine);
  t.teardown(() => lab.close());
  const server = createSecureServer({ cert: leaf.certChainPem, key: leaf.privateKeyPem, allowHTTP1: true });
  server.on('request', (req: Http2ServerRequest, res: { end(text: string): void }) =>
    res.end(servernameOf(req)),
  );
  const ip = lab.ip(10);
  const port = await lab.app(server, ip);
  const mesh = new TranslatedMesh(lab);
  await mesh.apply(
    WAYPOINT_NAMESPACE,
    service('backend', VIP),
    pod(ip, port, inMesh),
    ...CONFIG_MAPS,
    ...yaml,
  );
  const get = async (vip = VIP, servicePort = 443): Promise<string> => {
    const { body, status } = await ask(await lab.client(vip, servicePort)).catch(() => REFUSED);
    return status === 503 ? `503 ${(await lab.access(1)).at(-1) ?? ''}` : `${status} ${body}`.trim();
  };
  return { mesh, lab, get };
}

function servernameOf(req: Http2ServerRequest): string {
  const { socket } = req.httpVersion === '2.0' ? (req.stream.session ?? req) : req;
  return socket instanceof TLSSocket ? String(socket.servername) : 'no TLS';
}

const hostname = (name: string): string => `{type: Hostname, hostname: ${name}}`;
const uri = (sa: string): string => `{type: URI, uri: "spiffe://abc.example.com/ns/test/sa/${sa}"}`;

const REQUESTS: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['without a policy the server gets plaintext, as it comes', [], /^refused$/],
  ['a policy makes the waypoint speak TLS', [policy()], /^200 abc\.example\.com$/],
  [
    'the hostname is the name that is asked for',
    [policy({ hostname: 'other.example.com' })],
    /^200 other\.example\.com$/,
  ],
  [
    'a hostname that is not in the certificate',
    [policy({ hostname: 'third.example.com' })],
    /^503 .*UF.*expected third/,
  ],
  ['authorities of somebody else', [policy({ reference: 'kind: ConfigMap, name: wrong' })], /^503 .*UF/],
  [
    'a ConfigMap that is not there',
    [policy({ reference: 'kind: ConfigMap, name: nonexistent' })],
    /^503 .*UF.*there is no ConfigMap default\/nonexistent/,
  ],
  [
    'a ConfigMap that is malformed',
    [policy({ reference: 'kind: ConfigMap, name: malformed' })],
    /^503 .*UF.*ConfigMap default\/malformed: data\.ca\.crt/,
  ],
  [
    'a kind that is none',
    [policy({ reference: 'kind: Foo, name: ca' })],
    /^503 .*UF.*of a kind that is not read/,
  ],
  [
    'an alternative name that is a host',
    [policy({ hostname: 'third.example.com', subjectAltNames: hostname('abc.example.com') })],
    /^200 third\.example\.com$/,
  ],
  [
    'an alternative name that is another host',
    [policy({ subjectAltNames: hostname('third.example.com') })],
    /^503 .*UF.*expected third/,
  ],
  [
    'an alternative name that is a URI',
    [policy({ subjectAltNames: uri('identity') })],
    /^200 abc\.example\.com$/,
  ],
  ['an alternative name that is another URI', [policy({ subjectAltNames: uri('other') })], /^503 .*UF/],
  [
    'several alternative names of which one is there',
    [policy({ subjectAltNames: `${uri('other')}, ${hostname('abc.example.com')}` })],
    /^200 abc\.example\.com$/,
  ],
  [
    'several alternative names of which none is there',
    [policy({ subjectAltNames: `${uri('other')}, ${hostname('third.example.com')}` })],
    /^503 .*UF/,
  ],
  [
    'two policies for the Service: the older holds',
    [
      policy({ name: 'a', hostname: 'third.example.com', created: '2026-01-02T00:00:00Z' }),
      policy({ name: 'b', created: '2026-01-01T00:00:00Z' }),
    ],
    /^200 abc\.example\.com$/,
  ],
  [
    'two policies for a port: the first by name holds',
    [
      policy({ name: 'b', hostname: 'third.example.com', section: 'https-1' }),
      policy({ name: 'a', section: 'https-1' }),
    ],
    /^200 abc\.example\.com$/,
  ],
  [
    'a policy for the port and one for the Service: that of the port holds',
    [policy({ name: 'a', hostname: 'third.example.com' }), policy({ name: 'b', section: 'https-1' })],
    /^200 abc\.example\.com$/,
  ],
];

for (const engine of ['node', 'native'] as const) {
  test(`BackendTLSPolicies, engine ${engine}`, async t => {
    for (const inMesh of [false, true]) {
      const where = { engine, inMesh };
      const place = inMesh ? 'in the mesh' : 'outside the mesh';
      for (const [name, yaml, answer] of REQUESTS) {
        const { get } = await deploy(t, where, ...yaml);
        t.match(await get(), answer, `${place}, ${name}`);
      }
      await t.test(`${place}, policies of ports are of theirs alone`, t => portsApart(t, where));
      await t.test(`${place}, other authorities are trusted from the next connection on`, t =>
        rotation(t, where),
      );
      await t.test(`${place}, routes of another Service lead there over TLS`, t => routed(t, where));
      await t.test(`${place}, a client that speaks TLS itself speaks with the server`, t => passed(t, where));
    }
  });
}

async function portsApart(t: Test, where: Where): Promise<void> {
  const { get } = await deploy(t, where, policy({ section: 'btls' }));
  t.equal(await get(VIP, 8443), '200 abc.example.com');
  const whole = policy({ name: 'whole', hostname: 'other.example.com' });
  const { get: both } = await deploy(t, where, policy({ section: 'btls' }), whole);
  t.same([await both(VIP, 8443), await both(VIP, 443)], ['200 abc.example.com', '200 other.example.com']);
}

async function rotation(t: Test, where: Where): Promise<void> {
  const held = policy({ reference: 'kind: ConfigMap, name: rotated' });
  const { get, mesh } = await deploy(t, where, held, configMap('rotated', other.rootPem));
  t.match(await get(), /^503 .*UF/);
  await mesh.apply(configMap('rotated', `${other.rootPem}${ca.rootPem}`));
  t.equal(await get(), '200 abc.example.com');
  await mesh.apply(configMap('rotated', 'nonsense'));
  t.equal(await get(), '200 abc.example.com', 'what it held before stays');
}

async function routed(t: Test, where: Where): Promise<void> {
  const route = (kind: string, port: number): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${kind.toLowerCase()}, namespace: default}
spec:
  parentRefs: [{group: "", kind: Service, name: front, port: ${port}}]
  rules: [{backendRefs: [{name: backend, port: 443}]}]`;
  const front = service('front', FRONT).replace('name: https-1', 'name: http');
  const { get, lab } = await deploy(
    t,
    where,
    policy(),
    front,
    route('HTTPRoute', 443),
    route('TCPRoute', 8443),
  );
  t.equal(await get(FRONT, 443), '200 abc.example.com');
  t.equal(
    await askOverTls(await lab.client(FRONT, 8443)),
    'abc.example.com',
    'TLS of a client, by a TCPRoute',
  );
}

async function passed(t: Test, where: Where): Promise<void> {
  const { get, lab } = await deploy(t, where, policy({ hostname: 'other.example.com' }));
  for (const port of [443, 8443]) {
    t.equal(await askOverTls(await lab.client(VIP, port)), 'abc.example.com', `port ${port}`);
    t.equal(await get(VIP, port), '200 other.example.com', `port ${port}, in plaintext`);
  }
}

/** @returns the name that the server was asked for */
async function askOverTls(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', servername: 'abc.example.com', ca: ca.rootPem });
  await once(socket, 'secureConnect');
  socket.write('GET / HTTP/1.1\r\nHost: abc.example.com\r\nConnection: close\r\n\r\n');
  const answer = await text(socket);
  return /[a-z]+\.example\.com/.exec(answer.slice(answer.indexOf('\r\n\r\n')))?.[0] ?? answer;
}
