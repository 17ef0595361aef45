/*
 * Figures as people read them. What is not known is a dash.
 */

export const UNKNOWN = '–';

export function rate(perSecond: number | null): string {
  if (perSecond === null) return UNKNOWN;
  return `${significant(perSecond)}/s`;
}

/** 99.95 % must not look like all. */
export function percent(share: number | null): string {
  if (share === null) return UNKNOWN;
  const value = share * 100;
  if (value > 99.99 && value < 100) return '99.99 %';
  const digits = value === 100 || value === 0 ? 0 : value > 99 ? 2 : 1;
  return `${value.toFixed(digits)} %`;
}

export function milliseconds(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  if (ms >= 10_000) return `${(ms / 1_000).toFixed(0)} s`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${significant(ms)} ms`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function bytesPerSecond(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1_000, unit + 1];
  return `${significant(value)} ${UNITS[unit] ?? ''}/s`;
}

export function count(n: number): string {
  return n >= 10_000 ? `${significant(n / 1_000)}k` : String(Math.round(n));
}

/** `3 s`, `5 min`, `3 h`, `2 d`: one unit, rounded down. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `spiffe://cluster.local/ns/shop/sa/orders` → `shop/orders`: the trust domain is the same nearly everywhere. */
export function shortIdentity(identity: string): string {
  const [, namespace, account] = /\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(identity) ?? [];
  return namespace === undefined || account === undefined ? identity : `${namespace}/${account}`;
}

/** `payments.shop.svc.cluster.local` → `shop/payments`. */
export function shortHost(host: string): string {
  const [, service, namespace] = /^([^.]+)\.([^.]+)\.svc\./.exec(host) ?? [];
  return service === undefined || namespace === undefined ? host : `${namespace}/${service}`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** Three digits, no more than one behind the point. */
function significant(value: number): string {
  if (value === 0) return '0';
  if (value > 0 && value < 0.05) return '<0.1';
  if (value >= 100) return value.toFixed(0);
  const text = value.toFixed(1);
  return text.endsWith('.0') && value >= 9.95 ? text.slice(0, -2) : text;
}
