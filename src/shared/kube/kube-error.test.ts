import { test } from 'tap';
import { ifThere, KubeError } from './kube-error.ts';

test('what is not there is no error where it may be gone; whatever else is wrong is one', async t => {
  t.equal(await ifThere(Promise.resolve('found')), 'found');
  t.equal(await ifThere(Promise.reject(new KubeError(404, 'NotFound', 'gone'))), undefined);
  await t.rejects(
    ifThere(Promise.reject(new KubeError(409, 'Conflict', 'changed'))),
    new KubeError(409, 'Conflict', 'changed'),
  );
  await t.rejects(ifThere(Promise.reject(new Error('cut'))), /cut/);
});
