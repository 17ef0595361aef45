import { CliError } from '../cli-error.ts';
import type { Cli } from '../cli.ts';
import type { ClusterChoice } from '../cluster/kube-config.ts';
import type { ProgramResult } from '../run-program.ts';

export interface Release {
  readonly name: string;
  readonly namespace: string;
}

export interface ChartValues {
  readonly set: readonly string[];
  readonly values: readonly string[];
}

/** Runs helm against the chosen cluster. @throws CliError when it is missing or fails, with its own last words */
export async function helm(args: readonly string[], choice: ClusterChoice, cli: Cli): Promise<string> {
  const cluster = [
    ...(choice.kubeconfig === undefined ? [] : ['--kubeconfig', choice.kubeconfig]),
    ...(choice.context === undefined ? [] : ['--kube-context', choice.context]),
  ];
  const result = await cli.runProgram('helm', [...args, ...cluster], cli.env);
  if (result.status === 0) return result.stdout;
  if (result.status === undefined) {
    throw new CliError(
      'helm is not installed: this command drives Helm 3.14 or newer; install it, or apply what "ambientctl install --dry-run" prints where there is one',
    );
  }
  const said = lastWords(result);
  throw new CliError(`helm ${args[0] ?? ''} failed: ${said}${CONFLICT.test(said) ? CONFLICT_HINT : ''}`);
}

/** Helm 4 leaves alone what somebody else owns since: whoever edited an object, or undid a rollout, by kubectl. */
const CONFLICT = /Apply failed with \d+ conflicts?:/;
const CONFLICT_HINT = '; that was changed by hand since: --force-conflicts sets it back';

function lastWords({ stderr, status }: ProgramResult): string {
  const lines = stderr.split('\n').map(line => line.trim());
  const said = lines.filter(line => line !== '' && !/^(WARNING|level=)/.test(line));
  return (
    said
      .join(' ')
      .replace(/^Error: /, '')
      .slice(0, MAX_WORDS) || `status ${status ?? 0}`
  );
}

const MAX_WORDS = 1_000;

export function valueArguments({ set, values }: ChartValues): string[] {
  return [...values.flatMap(file => ['--values', file]), ...set.flatMap(value => ['--set', value])];
}
