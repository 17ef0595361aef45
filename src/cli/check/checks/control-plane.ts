import { isReady, podState, proxyKindOf } from '../../cluster/mesh-pods.ts';
import { text } from '#shared/config/json-fields.ts';
import { type Check, noneOf, ok, unknown } from '../check.ts';
import { answered, proxyPods } from '../cluster-snapshot.ts';
import { noPodsOf } from './no-pods.ts';
import { PODS_START_CHECK } from './pods-start.ts';
import { OTHER_KINDS_CHECK } from './other-kinds.ts';

const category = 'control plane';

/** Kinds of the dialects we read: without its CRD nobody can write such an object. */
const OUR_CRDS: readonly string[] = [
  'authorizationpolicies.security.istio.io',
  'peerauthentications.security.istio.io',
  'requestauthentications.security.istio.io',
  'virtualservices.networking.istio.io',
  'destinationrules.networking.istio.io',
  'serviceentries.networking.istio.io',
  'workloadentries.networking.istio.io',
  'telemetries.telemetry.istio.io',
];

/** Between the clock of this machine and that of the cluster. */
const MAX_SKEW_MS = 15_000;

export const CONTROL_PLANE_CHECKS: readonly Check[] = [
  {
    category,
    id: 'controller-ready',
    description: 'a controller is ready',
    severity: 'fatal',
    run: snapshot => {
      const all = snapshot.pods.filter(p => proxyKindOf(p) === 'controller');
      const ready = all.filter(isReady);
      if (ready.length > 0) return ok(`${ready.length}/${all.length}`);
      return noneOf(
        all.length === 0
          ? [noPodsOf(snapshot.deployments, 'controller')]
          : all.map(
              p =>
                `pod ${p.namespace}/${p.name} is ${podState(p)}: kubectl -n ${p.namespace} describe pod ${p.name}`,
            ),
      );
    },
  },
  { ...PODS_START_CHECK, category },
  {
    category,
    id: 'controller-replicas',
    description: 'the controller survives the loss of a node',
    severity: 'warning',
    run: snapshot => {
      const ready = proxyPods(snapshot, 'controller').filter(isReady);
      const nodes = new Set(ready.map(p => text(p.spec, 'nodeName')));
      if (snapshot.nodes.length < 2) return ok('one node: nothing to spread over');
      if (ready.length < 2)
        return noneOf([`${ready.length} controller is ready: set controller.replicas to 2 or more`]);
      return noneOf(nodes.size > 1 ? [] : ['all controllers are on one node']);
    },
  },
  {
    category,
    id: 'leases',
    description: 'one controller leads, and is alive',
    severity: 'fatal',
    run: snapshot => {
      if (snapshot.leases === undefined) return unknown('Leases cannot be listed');
      const controllers = proxyPods(snapshot, 'controller').map(p => p.name);
      const ours = snapshot.leases.filter(l => l.name.startsWith('ambient-'));
      if (ours.length === 0)
        return controllers.length === 0
          ? unknown('no controller is running')
          : noneOf(['no controller has taken the lease: see its log, and its right to leases']);
      return noneOf(
        ours.flatMap(lease => {
          const holder = text(lease.spec, 'holderIdentity');
          const renewed = Date.parse(text(lease.spec, 'renewTime'));
          const lifeMs = Number(text(lease.spec, 'leaseDurationSeconds')) * 1_000;
          const lateMs = snapshot.nowMs - renewed - lifeMs;
          const name = `${lease.namespace}/${lease.name}`;
          if (lateMs > MAX_SKEW_MS)
            return [
              `lease ${name} of ${holder || 'nobody'} ended ${Math.ceil(lateMs / 1_000)} s ago and nobody has taken it: status and waypoints are not written`,
            ];
          return controllers.some(c => holder === c || holder.startsWith(`${c}_`))
            ? []
            : [`lease ${name} is held by ${holder}, which is no running controller`];
        }),
      );
    },
  },
  {
    category,
    id: 'crds',
    description: 'resource definitions of policies and routes are installed',
    severity: 'warning',
    run: ({ crds }) => {
      if (crds === undefined) return unknown('CustomResourceDefinitions cannot be listed');
      const missing = OUR_CRDS.filter(name => !crds.some(crd => crd.name === name));
      // With a definition Kubernetes deletes its objects: a policy of that kind is not stale, it is no more.
      return noneOf(
        missing.map(
          name =>
            `${name} is missing, and with it every object of that kind: what they denied is let in; "ambientctl install" brings the definition back, your objects are yours to apply again`,
        ),
      );
    },
  },
  {
    category,
    id: 'versions',
    description: 'client, controllers and proxies are of one version',
    severity: 'warning',
    run: snapshot => {
      const proxies = answered(snapshot);
      if (proxies.length === 0) return unknown('no proxy answered');
      return noneOf(
        proxies
          .filter(p => p.dump.version !== snapshot.clientVersion)
          .map(
            p =>
              `${p.ref.kind} ${p.ref.name} is ${p.dump.version || 'of an unknown version'}, this client ${snapshot.clientVersion}`,
          ),
        snapshot.clientVersion,
      );
    },
  },
  {
    category,
    id: 'rejected-objects',
    description: 'no object is rejected',
    severity: 'warning',
    run: ({ rejected }) =>
      rejected === undefined
        ? unknown('no controller answered')
        : noneOf(
            rejected.map(o => `${o.name}: ${o.reasons.join('; ')}; the last good version stays in force`),
          ),
  },
  { ...OTHER_KINDS_CHECK, category },
];
