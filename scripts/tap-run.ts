import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface TapCounts {
  passed: number;
  failed: number;
  skipped: number;
  readonly skipReasons: string[];
}

export interface TapRunOptions {
  readonly files: readonly string[];
  readonly jobs: number;
  readonly timeoutSeconds: number;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs tap over the files and adds up what it reports. One line a file that passed, everything tap says of a file that
 * did not. A run that ends without tap's own summary (it crashed, or found no test) counts as a failure.
 */
export async function runTap(options: TapRunOptions, print: (line: string) => void): Promise<TapCounts> {
  const counts: TapCounts = { passed: 0, failed: 0, skipped: 0, skipReasons: [] };
  const args = [
    '--reporter=tap',
    `--jobs=${options.jobs}`,
    `--timeout=${options.timeoutSeconds}`,
    ...options.files,
  ];
  const child = spawn('tap', args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...options.env },
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve(code ?? 1));
  });
  const reader = new TapReader(counts, print);
  for await (const line of createInterface({ input: child.stdout })) reader.line(line);
  const code = await exited;
  if (!reader.sawSummary || (code !== 0 && counts.failed === 0)) counts.failed++;
  return counts;
}

const SUMMARY = /^# \{ total: \d+(?:, pass: (\d+))?(?:, fail: (\d+))?(?:, skip: (\d+))?(?:, todo: (\d+))? \}/;
const FILE_RESULT = /^(not )?ok \d+ - (.+?)(?: # time=([\d.]+)ms)?$/;
const SKIP = /^\s+ok \d+ - (.*?) # SKIP\s*(.*)$/;
/** What follows a failed file's result line: its diagnostics, until the next file. */
const NEXT_FILE = /^# Subtest: /;

class TapReader {
  sawSummary = false;
  readonly #counts: TapCounts;
  readonly #print: (line: string) => void;
  #block: string[] = [];
  #verbose = false;

  constructor(counts: TapCounts, print: (line: string) => void) {
    this.#counts = counts;
    this.#print = print;
  }

  line(line: string): void {
    if (NEXT_FILE.test(line)) this.#verbose = false;
    if (this.#verbose) this.#print(line);
    if (this.#summary(line) || this.#fileResult(line)) return;
    const skip = SKIP.exec(line);
    if (skip !== null) this.#counts.skipReasons.push(`${skip[1] ?? ''}: ${skip[2] ?? ''}`);
    this.#block.push(line);
  }

  #summary(line: string): boolean {
    const match = SUMMARY.exec(line);
    if (match === null) return false;
    this.sawSummary = true;
    this.#counts.passed += Number(match[1] ?? 0);
    this.#counts.failed += Number(match[2] ?? 0);
    this.#counts.skipped += Number(match[3] ?? 0) + Number(match[4] ?? 0);
    return true;
  }

  #fileResult(line: string): boolean {
    const match = FILE_RESULT.exec(line);
    if (match === null) return false;
    const [, failed, file = '', ms] = match;
    if (failed !== undefined) {
      for (const l of this.#block) this.#print(l);
      this.#verbose = true;
    }
    this.#print(
      `${failed === undefined ? '  ok  ' : 'FAIL  '}${file}${ms === undefined ? '' : ` (${(Number(ms) / 1000).toFixed(1)} s)`}`,
    );
    this.#block = [];
    return true;
  }
}
