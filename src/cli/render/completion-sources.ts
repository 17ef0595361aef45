import type { NameKind } from '../commands/names.ts';

/** What the first argument of a command, or the value of an option, is one of: names that the mesh is asked for, words, or files. */
export type Source =
  | { readonly names: readonly NameKind[] }
  | { readonly words: readonly string[] }
  | { readonly files: true };

/** By the command's path. */
export const ARGUMENTS: ReadonlyMap<string, Source> = new Map<string, Source>([
  ['describe pod', { names: ['pods'] }],
  ['describe service', { names: ['services'] }],
  ['describe namespace', { names: ['namespaces'] }],
  ['authz check', { names: ['pods'] }],
  ['logs', { names: ['pods', 'proxies'] }],
  ['namespace add', { names: ['namespaces'] }],
  ['namespace remove', { names: ['namespaces'] }],
  ['playground exec', { names: ['pods'] }],
  ['playground logs', { names: ['proxies'] }],
  ['playground apply', { files: true }],
  ['playground delete', { files: true }],
  ['stat', { words: ['workload', 'service', 'namespace'] }],
]);

/** By the option's long name. */
export const VALUES: ReadonlyMap<string, Source> = new Map<string, Source>([
  ['--namespace', { names: ['namespaces'] }],
  ['--source-namespace', { names: ['namespaces'] }],
  ['--node', { names: ['nodes'] }],
  ['--from', { names: ['pods'] }],
  ['--kubeconfig', { files: true }],
  ['--state-dir', { files: true }],
  ['--values', { files: true }],
  ['--charts', { files: true }],
]);
