import { APP_NAME, proxyKindOf } from '../../cluster/mesh-pods.ts';
import { textMap } from '#shared/config/json-fields.ts';
import { type Check, noneOf, ok, unknown } from '../check.ts';
import { OTHER_KINDS_CHECK } from './other-kinds.ts';

const category = 'before installing';

export const PRE_INSTALL_CHECKS: readonly Check[] = [
  {
    category,
    id: 'may-install',
    description: 'you may create what an installation needs',
    severity: 'fatal',
    run: ({ forbidden }) =>
      noneOf(forbidden.map(what => `you may not ${what}: install as somebody who is cluster-admin`)),
  },
  {
    category,
    id: 'not-installed',
    description: 'the mesh is not installed yet',
    severity: 'warning',
    run: ({ deployments, daemonSets }) => {
      if (deployments === undefined || daemonSets === undefined) return unknown('workloads cannot be listed');
      const found = [...deployments, ...daemonSets].filter(o => proxyKindOf(o) !== undefined);
      const own = found.filter(o => proxyKindOf(o) !== 'waypoint');
      return noneOf(
        own.map(
          o => `${o.kind} ${o.namespace}/${o.name} is there: "install" upgrades it; check it without --pre`,
        ),
      );
    },
  },
  {
    category,
    id: 'no-other-mesh',
    description: 'no other ambient data plane is installed',
    severity: 'fatal',
    run: ({ deployments, daemonSets }) => {
      if (deployments === undefined || daemonSets === undefined) return unknown('workloads cannot be listed');
      const others = [...deployments, ...daemonSets].filter(
        o =>
          ['istiod', 'istio-cni-node'].includes(o.name) ||
          (o.name === 'ztunnel' && o.labels[APP_NAME] !== 'ztunnel') ||
          o.labels['app'] === 'istiod',
      );
      return noneOf(
        others.map(
          o =>
            `${o.kind} ${o.namespace}/${o.name} captures or configures the same pods: remove it first, or keep the two apart by namespace labels`,
        ),
      );
    },
  },
  { ...OTHER_KINDS_CHECK, category },
  {
    category,
    id: 'cilium',
    description: 'the CNI lets a chained plugin be',
    severity: 'fatal',
    run: ({ configMaps }) => {
      if (configMaps === undefined) return unknown('ConfigMaps cannot be listed');
      const cilium = configMaps.find(c => c.namespace === 'kube-system' && c.name === 'cilium-config');
      if (cilium === undefined) return ok('no Cilium');
      const data = textMap(cilium.raw, 'data');
      const problems: string[] = [];
      if (data['cni-exclusive'] !== 'false')
        problems.push('Cilium removes other plugins from the CNI chain: set cni.exclusive=false');
      if (data['kube-proxy-replacement'] === 'true' && data['bpf-lb-sock-hostns-only'] !== 'true')
        problems.push(
          'Cilium translates service addresses inside pods, so that services cannot be told: set socketLB.hostNamespaceOnly=true',
        );
      return noneOf(problems);
    },
  },
];
