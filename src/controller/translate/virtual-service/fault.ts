import type { Fault, FaultAbort, RouteFilter } from '#shared/route/route-filter.ts';
import type { Fields } from '../decode.ts';
import { grpcStatus, GRPC_STATUS_NAMES } from '../grpc-status.ts';
import { readPercentage } from './percentage.ts';

export function readFault(fields: Fields): RouteFilter | undefined {
  const delay = fields.object('delay', readDelay);
  const abort = fields.object('abort', readAbort);
  if (delay === undefined && abort === undefined && !fields.has('delay') && !fields.has('abort'))
    fields.reject('delay', 'is required, or abort', 'set one of them');
  const fault: Fault = { delay, abort };
  return delay === undefined && abort === undefined ? undefined : { kind: 'fault', fault };
}

/** Istio: what says no percentage strikes no request. */
function readStruck(fields: Fields, olderKeys: readonly string[]): number {
  const percent = readPercentage(fields, 'percentage', olderKeys);
  if (percent === undefined)
    fields.ignore(
      'percentage',
      'is not set: no request is struck',
      'set percentage.value, 100 for every request',
    );
  return percent ?? 0;
}

function readDelay(fields: Fields): Fault['delay'] {
  fields.refused('exponentialDelay', 'use fixedDelay');
  const fixedMs = fields.durationMs('fixedDelay', '5s');
  if (fixedMs === undefined && !fields.has('fixedDelay'))
    fields.reject('fixedDelay', 'is required', 'set the time to wait, such as 5s');
  else if (fixedMs !== undefined && fixedMs < 1)
    fields.reject('fixedDelay', 'must be 1ms at least', 'write a time such as 5s');
  return { percent: readStruck(fields, ['percent']), fixedMs: fixedMs ?? 0 };
}

function readAbort(fields: Fields): Fault['abort'] {
  fields.refused('http2Error', 'use httpStatus');
  const status = fields.integer('httpStatus', 200, 599);
  const name = fields.string('grpcStatus');
  const code = name === undefined ? undefined : grpcStatus(name);
  if (name !== undefined && code === undefined)
    fields.reject('grpcStatus', 'is no gRPC status', `use one of ${GRPC_STATUS_NAMES.join(', ')}`);
  if (fields.has('httpStatus') === fields.has('grpcStatus'))
    fields.reject('httpStatus', 'is required, or grpcStatus, and only one of them', 'keep the one you mean');
  const how: FaultAbort =
    code === undefined
      ? { kind: 'http_status', status: status ?? 503 }
      : { kind: 'grpc_status', status: code };
  return { percent: readStruck(fields, []), with: how };
}
