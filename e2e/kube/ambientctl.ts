import type { Test } from 'tap';
import { nodePlatform } from '../../src/cli/cli.ts';
import { type Run, runLine } from '../../src/cli/testing/test-cli.ts';

/** ambientctl in this process, against the cluster: proxies are reached by port-forward. */
export function ambientctl(line: string): Promise<Run> {
  // Whatever playground runs on this machine is not meant.
  return runLine(line, { ...nodePlatform(), isPlaygroundRunning: () => false });
}

/** What a command says that has to succeed. */
export async function output(t: Test, line: string): Promise<string> {
  const { out, err, status } = await ambientctl(line);
  t.equal(status, 0, `${line}: ${err}`);
  return out;
}
