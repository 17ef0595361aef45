import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { loggerInto } from '#shared/testing/logger-into.ts';
import { DirectoryPodSource } from './directory-pod-source.ts';
import type { LocalPod } from './local-pod.ts';

/** A directory, and the sets of pods that were reported of it. */
async function watched(t: Test) {
  const directory = mkdtempSync(join(tmpdir(), 'pods-'));
  const lines: string[] = [];
  const logger = loggerInto(lines);
  const source = new DirectoryPodSource(directory, systemClock, logger);
  const sets: string[][] = [];
  let wake = (): void => undefined;
  const onPods = (pods: ReadonlyMap<string, LocalPod>): void => {
    sets.push([...pods.values()].map(pod => `${pod.uid}:${pod.name}`));
    wake();
  };
  t.teardown(async () => {
    await source.stop();
    rmSync(directory, { recursive: true });
  });
  /** The test's time limit is the deadline. */
  const next = async (count: number): Promise<string[] | undefined> => {
    while (sets.length < count) await new Promise<void>(resolve => (wake = resolve));
    return sets.at(-1);
  };
  const write = (uid: string, text: string): void => {
    writeFileSync(join(directory, `.${uid}.tmp`), text);
    renameSync(join(directory, `.${uid}.tmp`), join(directory, `${uid}.json`));
  };
  const status = (uid: string): string => join(directory, `${uid}.status.json`);
  return { source, onPods, next, write, status, sets, lines, directory };
}

function file(uid: string, name: string): string {
  return JSON.stringify({ uid, name, namespace: 'shop', serviceAccount: 'default' });
}

test('pods come, change and go with their files', async t => {
  const { source, onPods, next, write, status, directory, lines, sets } = await watched(t);
  write('a', file('a', 'one'));
  await source.start(onPods);
  t.same(await next(1), ['a:one'], 'what is there at the start');
  write('b', file('b', 'two'));
  t.same(await next(2), ['a:one', 'b:two'], 'a new file');

  await source.report('a', { state: 'enrolled', message: 'yes' });
  t.match(JSON.parse(readFileSync(status('a'), 'utf8')), {
    annotations: { 'ambient.istio.io/redirection': 'enabled' },
    state: 'enrolled',
  });
  await source.report('b', { state: 'failed', message: 'no' });
  t.same(JSON.parse(readFileSync(status('b'), 'utf8')), { annotations: {}, state: 'failed', message: 'no' });
  await source.report('unknown', { state: 'enrolled', message: 'yes' });
  t.notOk(existsSync(status('unknown')), 'no status for a pod that is not there');

  write('b', '{');
  write('c', file('c', 'three'));
  t.same(await next(3), ['a:one', 'b:two', 'c:three'], 'a damaged file keeps its last good pod');
  t.match(lines.join('\n'), /bad description of a pod.*b\.json.*not JSON/);

  rmSync(join(directory, 'a.json'));
  t.same(await next(4), ['b:two', 'c:three'], 'a removed file');
  t.notOk(existsSync(status('a')), 'takes its status with it');
  t.equal(sets.length, 4, 'status files cause no report');
});

test('a disk that is read-only keeps no pod from being captured or released', async t => {
  const { source, onPods, next, write, status, directory } = await watched(t);
  write('a', file('a', 'one'));
  await source.start(onPods);
  await next(1);
  // Not to be removed, nor written over.
  for (const uid of ['a', 'b']) mkdirSync(join(status(uid), 'in the way'), { recursive: true });
  rmSync(join(directory, 'a.json'));
  write('b', file('b', 'two'));
  t.same(await next(2), ['b:two']);
  await t.rejects(source.report('b', { state: 'enrolled', message: 'yes' }), { code: 'EISDIR' });
  t.notOk(existsSync(`${status('b')}.tmp`), 'no part of it is left');
});

test('a directory that is not there is an error at the start', async t => {
  const { source, onPods, directory } = await watched(t);
  rmSync(directory, { recursive: true });
  await t.rejects(source.start(onPods), { code: 'ENOENT' });
  writeFileSync(directory, '');
});
