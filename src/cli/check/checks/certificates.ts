import { textMap } from '#shared/config/json-fields.ts';
import { readCertificates } from '#shared/pki/certificate-facts.ts';
import { DATAPLANE_MODE } from '../../cluster/mesh-labels.ts';
import { shortDuration } from '../../render/age.ts';
import { type Check, noneOf, unknown } from '../check.ts';
import { answered, type ClusterSnapshot, systemNamespace } from '../cluster-snapshot.ts';
import { CA_VALID_CHECK } from './ca-valid.ts';

const category = 'certificates';
const DAY_MS = 24 * 3_600_000;
/** A leaf begins so long before it is issued, for clocks that are late: with a short life that is most of it. */
const BACKDATE_MS = 2 * 60_000;
const ROOT_WARNING_MS = 60 * DAY_MS;
const ROOT_CONFIG_MAP = 'istio-ca-root-cert';
/** The controller's own, whatever other mesh writes the one above. */
const OWN_CONFIG_MAP = 'ambient-ca-root-cert';

/** One certificate of one proxy. */
interface Held {
  readonly proxy: string;
  readonly identity: string;
  readonly type: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export const CERTIFICATE_CHECKS: readonly Check[] = [
  {
    category,
    id: 'certificates-held',
    description: 'every proxy has the certificates it needs',
    severity: 'fatal',
    run: snapshot => {
      const proxies = answered(snapshot).filter(p => p.ref.kind !== 'controller');
      if (proxies.length === 0) return unknown('no proxy answered');
      return noneOf(
        proxies.flatMap(({ ref, dump }) =>
          dump.certificates
            .filter(c => c.state !== 'Available')
            .map(
              c =>
                `${ref.name} has no certificate for ${c.identity} (${c.state}): ${c.error || 'see its log for "certificate not renewed"'}`,
            ),
        ),
      );
    },
  },
  {
    category,
    id: 'certificates-renewed',
    description: 'certificates are renewed in time',
    severity: 'fatal',
    run: snapshot => {
      const leaves = heldCertificates(snapshot).filter(c => c.type === 'Leaf');
      if (leaves.length === 0) return unknown('no certificate is known');
      return noneOf(
        leaves.flatMap(leaf => {
          const leftMs = leaf.notAfterMs - snapshot.nowMs;
          const lifeMs = leaf.notAfterMs - leaf.notBeforeMs - BACKDATE_MS;
          if (leftMs <= 0) return [`${leaf.proxy}: the certificate of ${leaf.identity} has expired`];
          // Renewed at half of its life; a quarter means that it has failed for a quarter.
          return leftMs < lifeMs / 4
            ? [
                `${leaf.proxy}: the certificate of ${leaf.identity} ends in ${shortDuration(leftMs)} and is not renewed`,
              ]
            : [];
        }),
        `${leaves.length} certificates`,
      );
    },
  },
  {
    category,
    id: 'roots-agree',
    description: 'every proxy trusts the same roots, the controller’s among them',
    severity: 'fatal',
    run: snapshot => {
      const byProxy = new Map<string, Set<string>>();
      for (const c of heldCertificates(snapshot).filter(c => c.type === 'Root'))
        byProxy.set(c.proxy, (byProxy.get(c.proxy) ?? new Set()).add(c.serial));
      if (byProxy.size === 0) return unknown('no root is known');
      const all = new Set([...byProxy.values()].flatMap(serials => [...serials]));
      const unheard = publishedRoots(snapshot).filter(serial => !all.has(serial));
      return noneOf(
        [...byProxy].flatMap(([proxy, serials]) => {
          const missing = [...all].filter(serial => !serials.has(serial));
          return [
            ...(missing.length === 0
              ? []
              : [
                  `${proxy} does not trust root ${missing.join(', ')} that others do: its peers of that root are refused`,
                ]),
            ...(unheard.length === 0
              ? []
              : [
                  `${proxy} does not trust root ${unheard.join(', ')} of ConfigMap ${OWN_CONFIG_MAP}, by which the controller signs: it is refused from its next certificate on`,
                ]),
          ];
        }),
        `${all.size} root${all.size === 1 ? '' : 's'}`,
      );
    },
  },
  {
    category,
    id: 'roots-valid',
    description: 'roots are valid for 60 days and more',
    severity: 'warning',
    run: snapshot => {
      const roots = new Map(
        heldCertificates(snapshot)
          .filter(c => c.type === 'Root')
          .map(c => [c.serial, c]),
      );
      if (roots.size === 0) return unknown('no root is known');
      return noneOf(
        [...roots.values()].flatMap(root => {
          const leftMs = root.notAfterMs - snapshot.nowMs;
          if (leftMs <= 0) return [`root ${root.serial} has expired: rotate it`];
          return leftMs < ROOT_WARNING_MS
            ? [`root ${root.serial} ends in ${shortDuration(leftMs)}: rotate it`]
            : [];
        }),
      );
    },
  },
  { ...CA_VALID_CHECK, category },
  {
    category,
    id: 'root-config-maps',
    description: `ConfigMap ${ROOT_CONFIG_MAP} is the same in every namespace of the mesh`,
    severity: 'fatal',
    run: snapshot => {
      const { configMaps, namespaces } = snapshot;
      if (configMaps === undefined) return unknown('ConfigMaps cannot be listed');
      const roots = configMaps.filter(c => c.name === ROOT_CONFIG_MAP);
      const contents = new Map<string, string[]>();
      for (const map of roots) {
        const pem = (textMap(map.raw, 'data')['root-cert.pem'] ?? '').trim();
        contents.set(pem, [...(contents.get(pem) ?? []), map.namespace]);
      }
      const groups = [...contents.values()].sort((a, b) => b.length - a.length);
      const meshed = namespaces.filter(n => n.labels[DATAPLANE_MODE] === 'ambient').map(n => n.name);
      const system = systemNamespace(snapshot);
      const needed = system === undefined ? meshed : [system, ...meshed];
      const without = needed.filter(name => !roots.some(r => r.namespace === name));
      return noneOf([
        ...without.map(
          name =>
            `namespace ${name} has no ConfigMap ${ROOT_CONFIG_MAP}: a proxy there cannot start; the controller writes it`,
        ),
        ...groups
          .slice(1)
          .map(
            names =>
              `the roots in namespace ${names.join(', ')} are not those of the others: delete the ConfigMap, the controller writes it anew`,
          ),
      ]);
    },
  },
];

/** What the controller has written of its roots in its own namespace; none where that cannot be read, or is no certificate. */
function publishedRoots(snapshot: ClusterSnapshot): string[] {
  const system = systemNamespace(snapshot);
  const map = snapshot.configMaps?.find(c => c.name === OWN_CONFIG_MAP && c.namespace === system);
  if (map === undefined) return [];
  try {
    return readCertificates(textMap(map.raw, 'data')['root-cert.pem'] ?? '').map(root => root.serial);
  } catch {
    return [];
  }
}

function heldCertificates(snapshot: ClusterSnapshot): Held[] {
  return answered(snapshot).flatMap(({ ref, dump }) =>
    dump.certificates.flatMap(({ identity, chain }) =>
      chain.map(({ type, serial, notBefore, notAfter }) => ({
        proxy: ref.name,
        identity,
        type,
        serial,
        notBeforeMs: Date.parse(notBefore),
        notAfterMs: Date.parse(notAfter),
      })),
    ),
  );
}
