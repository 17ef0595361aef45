import { test } from 'tap';
import { createTestCa } from '#shared/testing/test-ca.ts';
import { eventually } from '../eventually.ts';
import { apply, kubectl } from '../kubectl.ts';
import { pod, service } from '../objects.ts';
import { skip, testNamespace } from '../test-namespace.ts';

/** Refuses every ConfigMap named `refused`. */
const WEBHOOK = `
const { readFileSync } = require('fs');
const tls = { cert: readFileSync('/tls/tls.crt'), key: readFileSync('/tls/tls.key') };
require('https').createServer(tls, (request, response) => {
  let body = '';
  request.on('data', chunk => (body += chunk)).on('end', () => {
    const { request: { uid, name } } = JSON.parse(body);
    const allowed = name !== 'refused';
    const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, allowed, status: { message: 'by the webhook' } } };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(review));
  });
}).listen(8443);`;

test('a webhook in a pod of the mesh is reached by the API server', { skip }, async t => {
  const ns = await testNamespace(t, 'webhook');
  const ca = await createTestCa('webhook');
  const names = [`webhook.${ns.name}.svc`];
  const tls = await ca.issue(`spiffe://cluster.local/ns/${ns.name}/sa/default`, { serverNames: names });
  await ns.apply(
    {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: { name: 'tls' },
      stringData: { 'tls.crt': tls.certChainPem, 'tls.key': tls.privateKeyPem },
    },
    service('webhook', { ports: [{ name: 'https', port: 443, targetPort: 8443 }] }),
    pod('webhook', {
      command: ['node', '-e', WEBHOOK],
      container: {
        readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
        volumeMounts: [{ name: 'tls', mountPath: '/tls' }],
      },
      spec: { volumes: [{ name: 'tls', secret: { secretName: 'tls' } }] },
    }),
  );
  await ns.ready();
  const configuration = `e2e-${ns.name}`;
  t.teardown(() => kubectl(['delete', 'validatingwebhookconfiguration', configuration]));
  await apply({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name: configuration },
    webhooks: [
      {
        name: 'e2e.ambient.mesh',
        clientConfig: {
          service: { namespace: ns.name, name: 'webhook' },
          caBundle: Buffer.from(ca.rootPem).toString('base64'),
        },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': ns.name } },
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Fail',
        timeoutSeconds: 3,
      },
    ],
  });
  await eventually('the webhook refuses', 15_000, async () => {
    const said = await kubectl(['create', 'configmap', '-n', ns.name, 'refused', '--dry-run=server']).catch(
      String,
    );
    return said.includes('by the webhook') ? true : said;
  });
  await kubectl(['create', 'configmap', '-n', ns.name, 'allowed']);
  t.pass('it refuses and allows');
});
