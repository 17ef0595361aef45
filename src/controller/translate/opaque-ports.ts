/** Linkerd's annotation of a Service, or of a namespace for its Services without one. */
export const OPAQUE_PORTS = 'config.linkerd.io/opaque-ports';

/** Ports of a Service, by number or by name. */
export type OpaquePort =
  | { readonly kind: 'numbers'; readonly from: number; readonly to: number }
  | { readonly kind: 'name'; readonly name: string };

export interface ReadOpaquePorts {
  readonly ports: readonly OpaquePort[];
  /** Those that are no ports. */
  readonly wrong: readonly string[];
}

/** @param items `3306`, `4000-4010`, or the name of a port */
export function readOpaquePorts(items: readonly string[]): ReadOpaquePorts {
  const ports: OpaquePort[] = [];
  const wrong: string[] = [];
  for (const item of items.map(text => text.trim()).filter(text => text !== '')) {
    const port = readPort(item);
    if (port === undefined) wrong.push(item);
    else ports.push(port);
  }
  return { ports, wrong };
}

const NUMBERS = /^(\d{1,5})(?:-(\d{1,5}))?$/;
const NAME = /^(?=.*[a-z])[a-z0-9](?:[a-z0-9-]{0,13}[a-z0-9])?$/;
const MAX_PORT = 65_535;

function readPort(item: string): OpaquePort | undefined {
  const [, first, last = first] = NUMBERS.exec(item) ?? [];
  if (first === undefined) return NAME.test(item) ? { kind: 'name', name: item } : undefined;
  const [from, to] = [Number(first), Number(last)];
  return from >= 1 && from <= to && to <= MAX_PORT ? { kind: 'numbers', from, to } : undefined;
}

export function isOpaque(
  opaque: readonly OpaquePort[],
  { name, port }: { readonly name: string; readonly port: number },
): boolean {
  return opaque.some(one => (one.kind === 'name' ? one.name === name : one.from <= port && port <= one.to));
}
