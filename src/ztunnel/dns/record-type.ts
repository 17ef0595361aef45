/** Types of records that are of the mesh's own concern. RFC 1035 §3.2.2, RFC 3596, RFC 6891, RFC 9460, RFC 1995 */
export const RecordType = {
  a: 1,
  cname: 5,
  aaaa: 28,
  opt: 41,
  svcb: 64,
  https: 65,
  ixfr: 251,
  axfr: 252,
} as const;

/** RFC 1035 §3.2.4. */
export const CLASS_IN = 1;

const NAMES: ReadonlyMap<number, string> = new Map([
  [RecordType.a, 'A'],
  [2, 'NS'],
  [RecordType.cname, 'CNAME'],
  [6, 'SOA'],
  [12, 'PTR'],
  [15, 'MX'],
  [16, 'TXT'],
  [RecordType.aaaa, 'AAAA'],
  [33, 'SRV'],
  [RecordType.svcb, 'SVCB'],
  [RecordType.https, 'HTTPS'],
  [RecordType.ixfr, 'IXFR'],
  [RecordType.axfr, 'AXFR'],
  [255, 'ANY'],
]);

/** For people; RFC 3597 §5 for a type without a name here. */
export function typeName(type: number): string {
  return NAMES.get(type) ?? `TYPE${type}`;
}
