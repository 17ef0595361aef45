import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';

/** Programs that take flags, called wrongly: one line that says what is accepted, a non-zero status, and nothing started. */
interface Wrong {
  readonly sentence: string;
  readonly argv: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly status: number;
  readonly says: RegExp;
}

/** As the scripts of package.json start them: the runtime's own warnings are not what a flag gets. */
const QUIET = '--disable-warning=ExperimentalWarning';
const FUZZ_SAYS = /^--seconds takes a whole number from 1 to 86400$/;
const BENCH_SAYS = /^usage: npm run bench -- l4\|l7/;
const TOKEN = 'src/controller/token.ts';

const WRONG: readonly Wrong[] = [
  { sentence: 'fuzz for no time', argv: ['scripts/fuzz.ts', '--seconds', '0'], status: 2, says: FUZZ_SAYS },
  { sentence: 'fuzz for a word', argv: ['scripts/fuzz.ts', '--seconds', 'long'], status: 2, says: FUZZ_SAYS },
  { sentence: 'fuzz without the number', argv: ['scripts/fuzz.ts', '--seconds'], status: 2, says: FUZZ_SAYS },
  { sentence: 'a benchmark nobody knows', argv: ['e2e/bench/main.ts', 'l5'], status: 2, says: BENCH_SAYS },
  { sentence: 'no benchmark', argv: ['e2e/bench/main.ts'], status: 2, says: BENCH_SAYS },
  {
    sentence: 'half a round',
    argv: ['e2e/bench/main.ts', 'l4', '--rounds', '0.5'],
    status: 2,
    says: BENCH_SAYS,
  },
  {
    sentence: 'a side that does not take part',
    argv: ['e2e/bench/main.ts', 'l4', '--only', 'both'],
    status: 2,
    says: BENCH_SAYS,
  },
  {
    sentence: 'a load that is none',
    argv: ['e2e/bench/main.ts', 'l7', '--load', 'ab'],
    status: 2,
    says: BENCH_SAYS,
  },
  {
    sentence: 'an unknown flag of the demo',
    argv: ['src/playground/demo.ts', '--twice'],
    status: 2,
    says: /^demo: Unknown option '--twice'.*usage: npm run demo/,
  },
  {
    sentence: 'a state directory without its name',
    argv: ['src/playground/demo.ts', '--state-dir'],
    status: 2,
    says: /^demo: Option '--state-dir <value>' argument missing.*usage: npm run demo/,
  },
  {
    sentence: 'a token for nobody',
    argv: [TOKEN],
    status: 1,
    says: /^token: set CA_DIR, --namespace and --service-account$/,
  },
  {
    sentence: 'a token for two weeks, in words',
    argv: [TOKEN, '--namespace', 'shop', '--service-account', 'orders', '--ttl', 'two weeks'],
    env: { CA_DIR: 'nowhere' },
    status: 1,
    says: /^token: --ttl "two weeks": write it as 24h$/,
  },
  {
    sentence: 'a test that does not exist',
    argv: ['scripts/test.ts', 'no-such-word-in-any-path'],
    status: 1,
    says: /^no test file matches no-such-word-in-any-path$/m,
  },
];

test('flags that are wrong', t => {
  const directory = mkdtempSync(join(tmpdir(), 'ambient-flags-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const { sentence, argv, env, status, says } of WRONG) {
    const result = spawnSync(process.execPath, [QUIET, ...argv], {
      encoding: 'utf8',
      timeout: 20_000,
      // Wrong flags must be found before any state is looked at.
      env: { PATH: process.env['PATH'], AMBIENT_STATE_DIR: directory, ...env },
    });
    t.equal(result.status, status, `${sentence}: status`);
    t.match(`${result.stderr}${result.stdout}`.trim(), says, sentence);
  }
  t.end();
});
