import fc from 'fast-check';
import { test } from 'tap';
import { parsePodFile } from './pod-file.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? '1');

/** Objects that have the right keys more often than chance would give. */
const nearly = fc
  .record(
    Object.fromEntries(
      [
        'uid',
        'name',
        'namespace',
        'serviceAccount',
        'labels',
        'namespaceLabels',
        'ips',
        'netnsPath',
        'hostNetwork',
        'starting',
        'sidecar',
        'bypassInbound',
        'probePorts',
      ].map(key => [key, fc.oneof(fc.constant('u-1'), fc.jsonValue())]),
    ),
    { requiredKeys: [] },
  )
  .map(value => JSON.stringify(value));

test('any text is a pod or a list of errors, never an exception', {
  timeout: seconds * 1000 + 30_000,
}, async () => {
  fc.assert(
    fc.property(fc.oneof(nearly, fc.json(), fc.string()), text => {
      const result = parsePodFile(text, 'u-1');
      if (!result.ok) return result.errors.length > 0;
      return result.pod.uid === 'u-1' && !/[/\s]/.test(result.pod.namespace + result.pod.serviceAccount);
    }),
    {
      interruptAfterTimeLimit: seconds * 1000,
      numRuns: Number.MAX_SAFE_INTEGER,
      markInterruptAsFailure: false,
    },
  );
});
