const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** Milliseconds of the header `grpc-timeout` (gRPC over HTTP/2, "Timeout"); undefined when it is none. */
export function parseGrpcTimeout(text: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  const unit = UNIT_MS[match?.[2] ?? ''];
  return unit === undefined ? undefined : Number(match?.[1]) * unit;
}

/** The same, for what is left of a deadline: never longer than that, and at least a nanosecond. */
export function formatGrpcTimeout(ms: number): string {
  if (ms < 1) return `${Math.max(1, Math.floor(ms * 1e6))}n`;
  if (ms < 1e8) return `${Math.floor(ms)}m`;
  return `${Math.min(99_999_999, Math.floor(ms / 1_000))}S`;
}
