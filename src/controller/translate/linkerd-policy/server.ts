import type { LabelSelector } from '#shared/kube/label-selector.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { type Fields, readSpec } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { isExternalWorkload } from '../external-workload/external-workload.ts';
import { readLabelSelector } from '../label-selector.ts';
import type { WorkloadSpec } from '../pod-to-workload/workload-spec.ts';
import { ACCESS_POLICIES, type AccessPolicy } from './access-policy.ts';

/** A port of pods, or of machines: what a Linkerd Server names. */
export interface LinkerdServer {
  /** Undefined: it is not for pods, nor for WorkloadEntries, which stand for pods elsewhere. */
  readonly pods: LabelSelector | undefined;
  /** ExternalWorkloads; undefined: it is not for them. */
  readonly machines: LabelSelector | undefined;
  /** Of the container, or of the machine: its number or name. */
  readonly port: number | string;
  readonly protocol: ServerProtocol;
  /** For whom no authorization names. */
  readonly access: AccessPolicy;
}

const PROTOCOLS = ['unknown', 'HTTP/1', 'HTTP/2', 'gRPC', 'opaque', 'TLS'] as const;
export type ServerProtocol = (typeof PROTOCOLS)[number];

const NOWHERE: LinkerdServer = {
  pods: undefined,
  machines: undefined,
  port: 0,
  protocol: 'unknown',
  access: 'deny',
};

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
    ({ field, severity }) =>
      severity === 'rejected' && /^spec(\.(podSelector|externalWorkloadSelector|port)\b|$)/.test(field),
  );
  if (server === undefined || !isPlaceKnown) return undefined;
  const isForNobody = server.pods === undefined && server.machines === undefined;
  return isForNobody ? undefined : { ...server, access: 'deny' };
}

function readServer(spec: Fields): LinkerdServer {
  const pods = spec.object('podSelector', readLabelSelector);
  const machines = spec.object('externalWorkloadSelector', readLabelSelector);
  const [forPods, forMachines] = [spec.has('podSelector'), spec.has('externalWorkloadSelector')];
  if (!forPods && !forMachines)
    spec.reject(
      'podSelector',
      'is required, or externalWorkloadSelector',
      'say which pods the Server is for; {} is all of the namespace',
    );
  if (forPods && forMachines)
    spec.reject('externalWorkloadSelector', 'cannot be together with podSelector', 'write a Server for each');
  return {
    pods,
    machines,
    port: readPort(spec),
    // Of the traffic it says nothing here, where that is the Service's to say, but which routes are the Server's.
    protocol: spec.oneOf('proxyProtocol', PROTOCOLS) ?? 'unknown',
    access: spec.oneOf('accessPolicy', ACCESS_POLICIES) ?? 'deny',
  };
}

/** Which of its selectors is for such a workload. */
export function selectedBy(spec: Pick<WorkloadSpec, 'uid'>): 'pods' | 'machines' {
  return isExternalWorkload(spec) ? 'machines' : 'pods';
}

function readPort(spec: Fields): number | string {
  const port = spec.raw('port');
  if (!spec.has('port')) spec.reject('port', 'is required', 'write the number or name of a port of the pods');
  else if (typeof port === 'string' && port !== '') return port;
  else return spec.port('port') ?? 0;
  return 0;
}
