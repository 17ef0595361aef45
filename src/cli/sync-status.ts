import { isJsonObject } from '#shared/config/json.ts';
import { children, text } from '#shared/config/json-fields.ts';

/** How one proxy stands with the controller replica it is connected to: an entry of `/debug/syncz`. */
export interface SyncedProxy {
  /** `<pod>.<namespace>`. */
  readonly name: string;
  readonly kind: string;
  readonly cluster: string;
  readonly version: string;
  /** Which controller says so. */
  readonly controller: string;
  readonly connectedSince: string;
  readonly types: readonly SyncedType[];
}

export interface SyncedType {
  /** `address`, `authorization`, `routes` or `trust`; of a newer controller the type's own name. */
  readonly type: string;
  readonly state: string;
  readonly pending: number;
  readonly sentAt: string;
  readonly answeredAt: string;
  readonly lastNack: string;
}

/** The columns of `proxy-status`, by the last part of the type's name. */
export const TYPE_NAMES: Readonly<Record<string, string>> = {
  Address: 'address',
  Authorization: 'authorization',
  ServiceRoutes: 'routes',
  TrustBundle: 'trust',
};

export function decodeSyncStatus(answer: unknown, controller: string): SyncedProxy[] {
  const clients = isJsonObject(answer) ? children(answer, 'clients') : [];
  return clients.map(client => {
    const [kind = '', , name = ''] = text(client, 'node').split('~');
    return {
      name: name || text(client, 'node'),
      kind,
      cluster: text(client, 'cluster'),
      version: text(client, 'version'),
      controller,
      connectedSince: text(client, 'connectedSince'),
      types: children(client, 'types').map(type => {
        const own = text(type, 'type').split('.').at(-1) ?? '';
        const nack = type['lastNack'];
        return {
          type: TYPE_NAMES[own] ?? own,
          state: text(type, 'state'),
          pending: Number(text(type, 'pending')),
          sentAt: text(type, 'sentAt'),
          answeredAt: text(type, 'answeredAt'),
          lastNack: isJsonObject(nack) ? text(nack, 'reason') : '',
        };
      }),
    };
  });
}
