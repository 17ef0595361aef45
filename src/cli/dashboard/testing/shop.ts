import { endpointOf, mesh, service, waypointOf, workload } from '#shared/testing/topology.ts';
import { parseJson } from '#shared/config/json.ts';
import { decodeConfigDump } from '../../config-dump.ts';
import { buildInventory, type Inventory } from '../inventory/inventory.ts';
import { emptyCount, type FlowCount, flowOf } from '../traffic/flow.ts';
import type { CountedFlow } from '../traffic/traffic-log.ts';

/** frontend → orders → payments (behind a waypoint, two versions), and legacy outside the mesh. */
const waypoint = service('waypoint', { namespace: 'shop', vip: '10.96.0.9' });
const payments = service('payments', { namespace: 'shop', vip: '10.96.0.2', waypoint: waypointOf(waypoint) });
const orders = service('orders', { namespace: 'shop', vip: '10.96.0.3' });
const pod = (name: string, fields: Parameters<typeof workload>[1]): ReturnType<typeof workload> =>
  workload(name, { namespace: 'shop', workloadName: name.replace(/-\d$/, ''), ...fields });

const STORE = mesh({
  services: [waypoint, payments, orders],
  workloads: [
    pod('frontend-0', { serviceAccount: 'frontend' }),
    pod('orders-0', { serviceAccount: 'orders', services: endpointOf(orders) }),
    pod('payments-v1-0', { serviceAccount: 'payments', services: endpointOf(payments) }),
    pod('payments-v2-0', {
      serviceAccount: 'payments',
      services: endpointOf(payments),
      status: 'unhealthy',
      node: 'node-b',
    }),
    pod('waypoint-0', { serviceAccount: 'waypoint', services: endpointOf(waypoint) }),
    workload('legacy-0', { namespace: 'legacy', workloadName: 'legacy', tunnelProtocol: 'none' }),
  ],
});

export function shopInventory(): Inventory {
  const text = JSON.stringify(STORE.toDelta(), (_key, value: unknown) =>
    value instanceof Map ? Object.fromEntries<unknown>(value) : value,
  );
  const { services, workloads } = decodeConfigDump(parseJson(text));
  return buildInventory(workloads, services, []);
}

export function idOf(account: string): string {
  return `spiffe://cluster.local/ns/shop/sa/${account}`;
}

/**
 * What a reporter tells of `shop/orders > shop/payments`; an end `?` is not known.
 * @param fields `service`, `from` and `to` (identities), `plain`
 */
export function counted(
  reporter: string,
  way: string,
  fields: {
    readonly service?: string;
    readonly from?: string;
    readonly to?: string;
    readonly plain?: true;
    readonly open?: number;
    readonly deniedBefore?: number;
  } & Partial<FlowCount>,
): CountedFlow {
  const { deniedBefore = 0, from = '', open = 0, plain, service: asked = '', to = '', ...count } = fields;
  const [source = '', destination = ''] = way.split(' > ');
  const labels = new Map([
    ['reporter', reporter],
    ['connection_security_policy', plain === true ? 'unknown' : 'mutual_tls'],
    ...end('source', source, from),
    ...end('destination', destination, to),
    ['destination_service_namespace', asked.split('/')[0] ?? ''],
    ['destination_service_name', asked.split('/')[1] ?? ''],
  ]);
  return {
    flow: flowOf(labels, 'shop/waypoint-0'),
    count: { ...emptyCount(), ...count },
    open,
    denied: deniedBefore,
  };
}

function end(side: string, name: string, account: string): [string, string][] {
  const [namespace = 'unknown', workloadName = 'unknown'] = name === '?' ? [] : name.split('/');
  return [
    [`${side}_workload_namespace`, namespace],
    [`${side}_workload`, workloadName],
    [`${side}_principal`, account === '' ? 'unknown' : idOf(account)],
  ];
}
