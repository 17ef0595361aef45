import type { RequestHead } from '../../http/exchange.ts';

/** What a filter of the access log looks at: a request or a connection that has ended. */
export interface LogSubject {
  readonly peers: { readonly sourceIdentity: string | undefined };
  readonly sourceAddress: string;
  /** Empty: no endpoint was chosen. */
  readonly endpointAddress: string;
  /** Undefined: a connection that is not HTTP. */
  readonly request: RequestHead | undefined;
  /** 0: none. */
  readonly status: number;
  /** Empty: none. */
  readonly grpcStatus: string;
  /** As in the log: `-`, or words with commas between them. */
  readonly flags: string;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly durationMs: number;
}

/** `duration` is in milliseconds. */
export type ValueType = 'bool' | 'int' | 'string' | 'duration';

export type Value = boolean | number | string;

/** A part of an expression that has a value; undefined is CEL's error: what is asked for is not there. */
export interface Term {
  readonly type: ValueType;
  readonly read: (subject: LogSubject) => Value | undefined;
}
