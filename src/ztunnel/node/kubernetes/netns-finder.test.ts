import { mkdirSync, mkdtempSync, linkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { podUidOfCgroup } from './cgroup-pod-uid.ts';
import { createNetnsFinder } from './netns-finder.ts';
import { netnsInode } from './pod-netns.ts';

const UID = '0a1b2c3d-0000-4000-8000-00000000000f';
const OTHER = '0a1b2c3d-0000-4000-8000-0000000000ee';

test('the pod of a control group', async t => {
  const dashed = UID.replaceAll('-', '_');
  for (const [sentence, text, uid] of [
    ['cgroupfs, version 2', `0::/kubepods/besteffort/pod${UID}/8f3c`, UID],
    ['cgroupfs, version 1, one line a controller', `5:cpu:/\n4:memory:/kubepods/pod${UID}/8f3c\n`, UID],
    [
      'systemd',
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${dashed}.slice/cri-8f.scope`,
      UID,
    ],
    [
      'seen from the control group namespace of another pod',
      `0::/../../kubepods-pod${dashed}.slice/cri-8f.scope`,
      UID,
    ],
    ['the sandbox itself', `0::/kubepods/pod${UID}`, UID],
    ['a static pod', `0::/kubepods/pod${'0a1b2c3d'.repeat(4)}/8f`, '0a1b2c3d'.repeat(4)],
    ['a process of the node', '0::/system.slice/kubelet.service', undefined],
    ['a name that only looks like it', `0::/mypod${UID}/x`, undefined],
    ['a uid that goes on', `0::/kubepods/pod${UID}0/x`, undefined],
    ['nothing', '', undefined],
  ] as const) {
    t.equal(podUidOfCgroup(text), uid, sentence);
  }
});

/** A `/proc` and a directory of namespaces made of ordinary files: an inode is an inode. */
function fakeNode(t: Test) {
  const root = mkdtempSync(join(tmpdir(), 'proc-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const [procDir, netnsDir] = [join(root, 'proc'), join(root, 'netns')];
  mkdirSync(netnsDir);
  const netns = (name: string): string => {
    const path = join(netnsDir, name);
    writeFileSync(path, '');
    return path;
  };
  const process = (pid: number, startedAt: number, cgroup: string, ns: string): void => {
    mkdirSync(join(procDir, String(pid), 'ns'), { recursive: true });
    writeFileSync(join(procDir, String(pid), 'cgroup'), cgroup);
    writeFileSync(join(procDir, String(pid), 'stat'), `${pid} (a) b) S ${'0 '.repeat(18)}${startedAt} 0`);
    linkSync(ns, join(procDir, String(pid), 'ns/net'));
  };
  const outside = (name: string): string => {
    writeFileSync(join(root, name), '');
    return join(root, name);
  };
  return { procDir, netnsDir, netns, process, outside, find: createNetnsFinder({ procDir, netnsDir }) };
}

test("a pod's namespace is that of its first process, by the name the runtime gave it", async t => {
  const node = fakeNode(t);
  const named = node.netns('cni-1');
  const inner = node.outside('made-by-a-container');
  node.process(1, 0, '0::/init', node.outside('host'));
  node.process(90, 700, `0::/kubepods/pod${UID}/pause`, named);
  node.process(80, 900, `0::/kubepods/pod${UID}/app`, inner);
  node.process(70, 100, `0::/kubepods/pod${OTHER}/pause`, inner);
  const found = await node.find(new Set([UID]));
  t.same(
    [...found],
    [[UID, { path: named, inode: netnsInode(named), ips: [] }]],
    'and of no pod not asked for',
  );
});

test('where the runtime gives no names, the path is that of the process', async t => {
  const node = fakeNode(t);
  node.process(1, 0, '0::/init', node.outside('host'));
  node.process(90, 700, `0::/kubepods/pod${UID}/pause`, node.outside('pod'));
  t.equal((await node.find(new Set([UID]))).get(UID)?.path, join(node.procDir, '90/ns/net'));
});

test("the node's own namespace is never a pod's", async t => {
  const node = fakeNode(t);
  const host = node.outside('host');
  node.process(1, 0, '0::/init', host);
  node.process(90, 700, `0::/kubepods/pod${UID}/pause`, host);
  t.equal((await node.find(new Set([UID]))).size, 0);
});

test('the real /proc is looked through without an error', async t => {
  const find = createNetnsFinder({ procDir: '/proc', netnsDir: '/nowhere' });
  t.equal((await find(new Set([UID]))).size, 0);
});
