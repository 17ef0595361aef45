import type { RouteFilter } from '#shared/route/route-filter.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { readSpec, type Fields } from '../decode.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { readHeaderChanges } from './header-changes.ts';
import { readReference, type ServiceReference } from './reference.ts';

/** Consul ServiceSplitter: where requests for the service of its name go, in shares. */
export interface ServiceSplitter {
  readonly splits: readonly Split[];
}

export interface Split {
  /** In hundredths of a percent. */
  readonly weight: number;
  readonly target: ServiceReference;
  readonly filters: readonly RouteFilter[];
}

export function translateServiceSplitter(object: KubeObject): Translated<ServiceSplitter> {
  const diagnostics = new Diagnostics(object);
  const { namespace } = object.metadata;
  const splits = readSpec(object, diagnostics, spec => {
    const read = spec.objects('splits', fields => readSplit(fields, namespace));
    const total = read.reduce((sum, { weight }) => sum + weight, 0);
    if (total !== 10_000) spec.reject('splits', `adds up to ${total / 100}`, 'let the weights add up to 100');
    return read;
  });
  return diagnostics.conclude({ splits: splits ?? [] });
}

function readSplit(fields: Fields, namespace: string): Split {
  const weight = fields.raw('weight') ?? 0;
  fields.has('weight');
  const isWeight = typeof weight === 'number' && weight >= 0 && weight <= 100;
  if (!isWeight) fields.reject('weight', 'must be a number from 0 to 100', 'write a percentage');
  return {
    weight: isWeight ? Math.round(weight * 100) : 0,
    target: readReference(fields, namespace),
    filters: readHeaderChanges(fields),
  };
}
