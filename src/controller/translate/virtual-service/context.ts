import type { KubeObject } from '../../source/kube-object.ts';
import type { ExportDefault } from '../export-to.ts';
import type { HostContext } from '../istio-host.ts';
import type { LabelledSource } from './source.ts';

/** Where a VirtualService is read. */
export interface VirtualServiceContext extends HostContext {
  /** Gets the sources asked for by labels. */
  readonly labelled: LabelledSource[];
  readonly delegates: DelegateLookup;
  readonly exportDefault?: ExportDefault | undefined;
}

/** The VirtualService of a name, for one that delegates to it. */
export type DelegateLookup = (namespace: string, name: string) => KubeObject | undefined;
