import { child, text } from '#shared/config/json-fields.ts';
import { type Check, noneOf, ok, unknown } from '../check.ts';

const category = 'kubernetes';
const MIN_MINOR = 30;
const HTTP_ROUTES = 'httproutes.gateway.networking.k8s.io';
/** nf_tables with redirect for both families in one table (inet nat). */
const MIN_KERNEL = [5, 2] as const;

export const KUBERNETES_CHECKS: readonly Check[] = [
  {
    category,
    id: 'api-reachable',
    description: 'the API server answers',
    severity: 'fatal',
    // Without it there is no snapshot, and the command has ended with the reason.
    run: s => ok(s.serverVersion),
  },
  {
    category,
    id: 'kubernetes-version',
    description: `Kubernetes is 1.${MIN_MINOR} or newer`,
    severity: 'fatal',
    run: ({ serverVersion }) => {
      const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(serverVersion) ?? [];
      const isNew = Number(major) > 1 || (Number(major) === 1 && Number(minor) >= MIN_MINOR);
      return noneOf(isNew ? [] : [`the API server is ${serverVersion}: upgrade the cluster first`]);
    },
  },
  {
    category,
    id: 'gateway-api',
    description: 'the Gateway API is installed',
    severity: 'warning',
    run: ({ crds, gateways, unlisted }) => {
      if (unlisted.has('gateways')) return unknown('Gateways cannot be listed');
      if (gateways === undefined)
        return noneOf([
          'kind Gateway is not served: waypoints and routes need the Gateway API; apply its standard-install.yaml',
        ]);
      if (crds !== undefined && !crds.some(crd => crd.name === HTTP_ROUTES))
        return noneOf([
          `${HTTP_ROUTES} is missing, and with it every HTTPRoute: their services are routed as if there were none; apply standard-install.yaml, and your routes again`,
        ]);
      const gateway = crds?.find(crd => crd.name === 'gateways.gateway.networking.k8s.io');
      const bundle = gateway?.annotations['gateway.networking.k8s.io/bundle-version'];
      return ok(bundle ?? 'of a version that is not told');
    },
  },
  {
    category,
    id: 'kernel-version',
    description: `kernels of the nodes are ${MIN_KERNEL.join('.')} or newer, on Linux`,
    severity: 'fatal',
    run: ({ nodes }) => {
      if (nodes.length === 0) return unknown('nodes cannot be listed');
      return noneOf(
        nodes.flatMap(node => {
          const info = child(node.status, 'nodeInfo');
          const kernel = text(info, 'kernelVersion');
          if (text(info, 'operatingSystem') === 'windows')
            return [`node ${node.name} is not Linux: keep meshed pods off it`];
          return kernel === '' || isKernelNewEnough(kernel)
            ? []
            : [`node ${node.name} has kernel ${kernel}: capture needs nf_tables of ${MIN_KERNEL.join('.')}`];
        }),
      );
    },
  },
];

function isKernelNewEnough(release: string): boolean {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const [needMajor, needMinor] = MIN_KERNEL;
  return Number(major) > needMajor || (Number(major) === needMajor && Number(minor) >= needMinor);
}
