import { shellWord } from '#shared/dashboard/shell-word.ts';
import type { Route } from './route.ts';

/** The command that shows the same in a terminal. */
export interface SameCommand {
  readonly what: string;
  readonly command: string;
}

export interface CommandPlace {
  /** Of which mesh: ` --context prod`. */
  readonly options: string;
  readonly isCluster: boolean;
  /** Of a workload's page, the pod that is described. */
  readonly pod: string;
}

/** Pure. */
export function commandsOf(route: Route, { isCluster, options, pod }: CommandPlace): readonly SameCommand[] {
  const one = (what: string, command: string): SameCommand => ({
    what,
    command: `ambientctl ${command}${options}`,
  });
  const inNamespace = route.namespace === '' ? '' : ` -n ${shellWord(route.namespace)}`;
  switch (route.page) {
    case 'graph':
      return [
        one('rates and latency', `stat ${route.by}${inNamespace}`),
        one('connections', `ztunnel-config connections${inNamespace}`),
      ];
    case 'services':
      return [
        one('services', `ztunnel-config services${inNamespace}`),
        one('figures', `stat service${inNamespace}`),
      ];
    case 'workloads':
      return [
        one('workloads', `ztunnel-config workloads${inNamespace}`),
        one('figures', `stat workload${inNamespace}`),
      ];
    case 'proxies':
      return [
        one('configuration', `proxy-status${inNamespace}`),
        one('certificates', `ztunnel-config certificates${inNamespace}`),
        one('versions', 'version'),
      ];
    case 'policies':
      return [one('policies', `ztunnel-config policies${inNamespace}`)];
    case 'problems':
      return [
        one('objects', `analyze${inNamespace}`),
        ...(isCluster ? [one('the whole mesh', 'check')] : []),
        one('logs', `logs --tail 20${inNamespace}`),
      ];
    case 'detail':
      return route.by === 'service' ? ofService(route.name, one) : ofWorkload(route.name, pod, one);
  }
}

type One = (what: string, command: string) => SameCommand;

function ofService(name: string, one: One): readonly SameCommand[] {
  const [namespace = '', service = ''] = name.split('/');
  return [
    one('what applies', `describe service ${shellWord(name)}`),
    one('figures', `stat service -n ${shellWord(namespace)}`),
    one('requests', `tap ${shellWord(service)} -n ${shellWord(namespace)}`),
    one('may it be called?', `authz check ${shellWord(`service/${name}`)} --from NAMESPACE/POD`),
  ];
}

function ofWorkload(name: string, pod: string, one: One): readonly SameCommand[] {
  const namespace = name.split('/')[0] ?? '';
  if (pod === '') return [one('figures', `stat workload -n ${shellWord(namespace)}`)];
  const named = shellWord(`${namespace}/${pod}`);
  return [
    one('what applies', `describe pod ${named}`),
    one('figures', `stat workload -n ${shellWord(namespace)}`),
    one('logs', `logs ${named} --tail 20`),
    one('may it be called?', `authz check ${named} --from NAMESPACE/POD`),
  ];
}
