import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { runLine, testPlatform } from '../testing/test-cli.ts';
import { openCluster } from './open-cluster.ts';

const real = (env: Readonly<Record<string, string>> = {}): ReturnType<typeof testPlatform> => ({
  ...testPlatform(),
  env: { HOME: '/nonexistent', ...env },
  openCluster,
});

function kubeconfig(server: string, current = 'here'): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': current,
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    contexts: [
      { name: 'here', context: { cluster: 'c', user: 'u', namespace: 'shop' } },
      { name: 'lost', context: { cluster: 'gone', user: 'u' } },
    ],
    users: [{ name: 'u', user: { token: 'secret' } }],
  });
}

/** [sentence, content of the kubeconfig, flags, what the one line says] */
const FILES: readonly (readonly [string, string | undefined, string, RegExp])[] = [
  [
    'a kubeconfig that does not exist',
    undefined,
    '',
    /no cluster: .*config does not exist; give --kubeconfig FILE/,
  ],
  ['a kubeconfig that is not YAML', '{', '', /cannot be read as a kubeconfig/],
  ['a kubeconfig of something else', 'hello', '', /cannot be read as a kubeconfig|no current-context/],
  [
    'a kubeconfig without a current context',
    kubeconfig('http://127.0.0.1:1', ''),
    '',
    /give --context: here, lost/,
  ],
  [
    'a context nobody has',
    kubeconfig('http://127.0.0.1:1'),
    ' --context prod',
    /no context "prod" in .*; contexts: here, lost/,
  ],
  [
    'a context whose cluster is not in the file',
    kubeconfig('http://127.0.0.1:1'),
    ' --context lost',
    /context lost names a cluster that is not in the file/,
  ],
  [
    'a server that is no URL',
    kubeconfig('10.0.0.1:6443'),
    '',
    /server of cluster c is "10.0.0.1:6443"; write it as https:\/\/HOST:PORT/,
  ],
  [
    'an API server that does not answer',
    kubeconfig('http://127.0.0.1:1'),
    '',
    /cannot reach the API server http:\/\/127.0.0.1:1: .*ECONNREFUSED.*is the cluster up, and is this the right context/,
  ],
];

test('a wrong kubeconfig is one clear line', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const [sentence, content, flags, message] of FILES) {
    const file = join(dir, content === undefined ? 'none.config' : 'config');
    if (content !== undefined) writeFileSync(file, content);
    const { status, err } = await runLine(`version --kubeconfig ${file}${flags}`, real());
    t.equal(status, 1, sentence);
    t.match(err, message, sentence);
    t.equal(err.trimEnd().split('\n').length, 1, `${sentence}: one line`);
    const byEnv = await runLine(`version${flags || ' --context here'}`, real({ KUBECONFIG: file }));
    t.equal(byEnv.status, 1, `${sentence}: the same by KUBECONFIG`);
  }
});

test('neither a playground nor a cluster: the operator is told how to get either', async t => {
  const { status, err } = await runLine('version', real());
  t.equal(status, 1);
  t.match(err, /no mesh found: .*no kubeconfig .*playground up.*--kubeconfig/);
});

test('flags of a playground and of a cluster at once are refused', async t => {
  const { status, err } = await runLine('version --playground --context here', real());
  t.equal(status, 2);
  t.match(err, /mean a mesh on this machine, --kubeconfig and --context a cluster; give one/);
});

/** [sentence, status and body of every answer, what the one line says] */
const ANSWERS: readonly (readonly [string, number, string, RegExp])[] = [
  [
    'credentials that are refused',
    401,
    '{"message":"Unauthorized"}',
    /does not accept the credentials of this context/,
  ],
  [
    'what the user may not do',
    403,
    '{"message":"pods is forbidden: User \\"dev\\" cannot list resource"}',
    /cannot list pods: the API server answered 403: pods is forbidden: User "dev" cannot list/,
  ],
  [
    'an answer that is not JSON',
    500,
    '<html>\nproxy error\n</html>',
    /cannot list pods: the API server answered 500/,
  ],
];

test('what the API server refuses is said in its own words', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  for (const [sentence, code, body, message] of ANSWERS) {
    const server = createServer((_req, res) => res.writeHead(code).end(body));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const file = join(dir, 'config');
    writeFileSync(file, kubeconfig(`http://127.0.0.1:${port}`));
    const { status, err } = await runLine(`version --kubeconfig ${file}`, real());
    t.equal(status, 1, sentence);
    t.match(err, message, sentence);
    t.equal(err.trimEnd().split('\n').length, 1, `${sentence}: one line`);
    server.closeAllConnections();
    server.close();
  }
});
