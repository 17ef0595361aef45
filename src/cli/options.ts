import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ClusterChoice } from './cluster/kube-config.ts';
import type { ProxyChoice } from './proxies.ts';
import { OUTPUT_FORMATS, type OutputFormat } from './render/output.ts';

/** Options of commands that ask proxies, wherever these are. */
export interface CommonOptions extends ProxyChoice {
  readonly output: OutputFormat;
  readonly namespace?: string;
}

export function withCommonOptions(command: Command): Command {
  return withMeshOptions(withOutput(command))
    .option('--admin-address <address>', 'ask one proxy: IP:PORT or the path of a unix socket')
    .option('--node <name>', 'only the proxy of this node');
}

/** Which mesh: a cluster, or the one on this machine. */
export function withMeshOptions(command: Command): Command {
  return withClusterOptions(command)
    .option('--playground', 'the mesh on this machine, also when there is a cluster')
    .option('--state-dir <dir>', 'state directory of a mesh on one machine (default: AMBIENT_STATE_DIR)');
}

/** Options of commands that work with the Kubernetes API. */
export interface ClusterOptions extends ClusterChoice {
  readonly namespace?: string;
}

export function withClusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'the cluster of this kubeconfig (default: KUBECONFIG, ~/.kube/config)')
    .option('--context <name>', 'the cluster of this context');
}

export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'output format').choices(OUTPUT_FORMATS).default('table'),
  );
}

/** For lists: without it, all namespaces. */
export function withNamespaceFilter(command: Command): Command {
  return command.option('-n, --namespace <name>', 'only this namespace');
}

/** For what is in one namespace. */
export function withNamespace(command: Command): Command {
  return command.option('-n, --namespace <name>', "the namespace (default: the context's)");
}

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 1 && seconds <= 3_600)) throw new InvalidArgumentError('use seconds from 1 to 3600.');
  return seconds;
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('use a port from 0 to 65535.');
  return port;
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0 || count > 1_000_000)
    throw new InvalidArgumentError('use a whole number from 0 to 1000000.');
  return count;
}

/** For options that may be repeated. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
