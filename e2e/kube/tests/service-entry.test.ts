import { test } from 'tap';
import type { JsonObject } from '#shared/config/json.ts';
import { eventually } from '../eventually.ts';
import { echoPod, pod } from '../objects.ts';
import { skip, type TestNamespace, testNamespace } from '../test-namespace.ts';

const EFFECT_DEADLINE_MS = 10_000;
/** Of nobody: only who knows the entry gets through. */
const ADDRESS = '240.7.7.7';
const URL_OF_ENTRY = `http://${ADDRESS}/`;
/** What nobody answers is given up soon. */
const SOON = ['-m', '2'];

/** A host outside of the mesh, with one server. */
function serviceEntry(serverIp: string, exportTo: readonly string[]): JsonObject {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: 'outside' },
    spec: {
      hosts: ['outside.example'],
      addresses: [ADDRESS],
      exportTo,
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
      endpoints: [{ address: serverIp }],
    },
  };
}

/** The pod that answered; empty: none. */
async function answeredBy(ns: TestNamespace): Promise<string> {
  const { seen } = await ns.request('client', URL_OF_ENTRY, ...SOON);
  return seen?.hostname ?? '';
}

function until(ns: TestNamespace, what: string, wanted: string): Promise<number> {
  return eventually(what, EFFECT_DEADLINE_MS, async () => {
    const got = await answeredBy(ns);
    return got === wanted ? true : `answered by ${got || 'nobody'}`;
  });
}

test('a ServiceEntry is known where it is exported to, and nowhere else', { skip }, async t => {
  const outside = await testNamespace(t, 'outside', { meshed: false });
  const own = await testNamespace(t, 'entry-own');
  const other = await testNamespace(t, 'entry-other');
  await outside.apply(echoPod('server'));
  for (const ns of [own, other]) await ns.apply(pod('client'));
  await outside.ready({ captured: false });
  for (const ns of [own, other]) await ns.ready();
  const ip = await outside.podIp('server');

  await own.apply(serviceEntry(ip, ['.']));
  await until(own, 'its own namespace knows it', 'server');
  t.equal(await answeredBy(other), '', 'another one does not');

  await own.apply(serviceEntry(ip, ['.', other.name]));
  await until(other, 'a namespace that it is exported to knows it', 'server');
  t.equal(await answeredBy(own), 'server', 'and its own still does');

  await own.apply(serviceEntry(ip, [other.name]));
  await until(own, 'its own namespace does not when it is not named', '');
  t.equal(await answeredBy(other), 'server', 'the one that is named does');

  await own.apply(serviceEntry(ip, ['*']));
  await until(own, 'everybody knows what is exported to all', 'server');
  t.equal(await answeredBy(other), 'server');
});

test('two namespaces have an entry each for the same host and address', { skip }, async t => {
  const outside = await testNamespace(t, 'outside', { meshed: false });
  await outside.apply(echoPod('left'), echoPod('right'));
  await outside.ready({ captured: false });
  const inNamespaceOf = async (server: string): Promise<TestNamespace> => {
    const ns = await testNamespace(t, `entry-${server}`);
    await ns.apply(pod('client'), serviceEntry(await outside.podIp(server), ['.']));
    await ns.ready();
    await until(ns, `${server} answers in its namespace`, server);
    return ns;
  };
  const left = await inNamespaceOf('left');
  const right = await inNamespaceOf('right');
  t.equal(await answeredBy(left), 'left', 'the second one changes nothing for the first');
  t.equal(await answeredBy(right), 'right');
});
