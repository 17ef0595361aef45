import type { LabelSelector } from '#shared/kube/label-selector.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { readLabelSelector } from '../label-selector.ts';

/** A port of pods: what a Linkerd Server names. */
export interface LinkerdServer {
  /** Undefined: it is not for pods. */
  readonly pods: LabelSelector | undefined;
  /** Of the container: its number or name. */
  readonly port: number | string;
}

const NOWHERE: LinkerdServer = { pods: undefined, port: 0 };

/** Linkerd Server. Only what other policies refer to it for is used: access is decided by AuthorizationPolicies of Istio. */
export function translateServer(object: KubeObject): Translated<LinkerdServer> {
  const diagnostics = new Diagnostics(object);
  return diagnostics.conclude(readSpec(object, diagnostics, readServer) ?? NOWHERE);
}

function readServer(spec: Fields): LinkerdServer {
  const pods = spec.object('podSelector', readLabelSelector);
  const isExternal = spec.unsupported('externalWorkloadSelector', 'select pods with podSelector');
  if (!spec.has('podSelector') && !isExternal)
    spec.reject('podSelector', 'is required', 'say which pods the Server is for; {} is all of the namespace');
  // The protocol of a port is that of the Service.
  spec.string('proxyProtocol');
  const access = spec.string('accessPolicy');
  if (access !== 'all-unauthenticated')
    spec.ignore(
      'accessPolicy',
      `is not held here: nobody is denied by it${access === undefined ? ', although its default is deny' : ''}`,
      'write an AuthorizationPolicy of security.istio.io, and accessPolicy: all-unauthenticated',
    );
  return { pods, port: readPort(spec) };
}

function readPort(spec: Fields): number | string {
  const port = spec.raw('port');
  if (!spec.has('port')) spec.reject('port', 'is required', 'write the number or name of a port of the pods');
  else if (typeof port === 'string' && port !== '') return port;
  else return spec.port('port') ?? 0;
  return 0;
}
