import type { LabelSelector } from '#shared/kube/label-selector.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { readLabelSelector } from '../label-selector.ts';
import { ACCESS_POLICIES, type AccessPolicy } from './access-policy.ts';

/** A port of pods: what a Linkerd Server names. */
export interface LinkerdServer {
  /** Undefined: it is not for pods. */
  readonly pods: LabelSelector | undefined;
  /** Of the container: its number or name. */
  readonly port: number | string;
  readonly protocol: ServerProtocol;
  /** For whom no authorization names. */
  readonly access: AccessPolicy;
}

const PROTOCOLS = ['unknown', 'HTTP/1', 'HTTP/2', 'gRPC', 'opaque', 'TLS'] as const;
export type ServerProtocol = (typeof PROTOCOLS)[number];

const NOWHERE: LinkerdServer = { pods: undefined, port: 0, protocol: 'unknown', access: 'deny' };

/** Linkerd Server: who may come to it is said by the policies that name it. */
export function translateServer(object: KubeObject): Translated<LinkerdServer> {
  const diagnostics = new Diagnostics(object);
  return diagnostics.conclude(readSpec(object, diagnostics, readServer) ?? NOWHERE);
}

/**
 * What holds of a Server that was never good: that its port is closed but for whom policies name, where it is certain which port
 * of which pods that is. Without it the port would be open.
 */
export function closedWhereNeverGood(object: KubeObject): LinkerdServer | undefined {
  const diagnostics = new Diagnostics(object);
  const server = readSpec(object, diagnostics, readServer);
  const isPlaceKnown = !diagnostics.found.some(
    ({ field, severity }) => severity === 'rejected' && /^spec(\.(podSelector|port)\b|$)/.test(field),
  );
  return server?.pods === undefined || !isPlaceKnown ? undefined : { ...server, access: 'deny' };
}

function readServer(spec: Fields): LinkerdServer {
  const pods = spec.object('podSelector', readLabelSelector);
  const isExternal = spec.unsupported('externalWorkloadSelector', 'select pods with podSelector');
  if (!spec.has('podSelector') && !isExternal)
    spec.reject('podSelector', 'is required', 'say which pods the Server is for; {} is all of the namespace');
  return {
    pods,
    port: readPort(spec),
    // Of the traffic it says nothing here, where that is the Service's to say, but which routes are the Server's.
    protocol: spec.oneOf('proxyProtocol', PROTOCOLS) ?? 'unknown',
    access: spec.oneOf('accessPolicy', ACCESS_POLICIES) ?? 'deny',
  };
}

function readPort(spec: Fields): number | string {
  const port = spec.raw('port');
  if (!spec.has('port')) spec.reject('port', 'is required', 'write the number or name of a port of the pods');
  else if (typeof port === 'string' && port !== '') return port;
  else return spec.port('port') ?? 0;
  return 0;
}
