interface Named {
  readonly namespace: string;
  readonly name: string;
}

const MAX_SHOWN = 5;
/** So many letters may be wrong, too many or missing. */
const MAX_TYPOS = 2;

/** What to tell who named something that is not there: what may be meant, or how to list what is. */
export function unknownName(what: 'pod' | 'service', target: string, all: readonly Named[]): string {
  const near = meant(target, all);
  const hint =
    near.length > 0
      ? `; did you mean ${near.slice(0, MAX_SHOWN).join(' or ')}?`
      : `; do the ztunnels know it yet? see: ambientctl names ${what}s`;
  return `no ${what} ${JSON.stringify(target)} (write NAMESPACE/NAME)${hint}`;
}

/** Of this name elsewhere; else those of a workload of this name; else those that are spelt nearly so. */
function meant(target: string, all: readonly Named[]): readonly string[] {
  const [namespace = '', name = ''] = target.includes('/') ? target.split('/') : ['', target];
  const inReach = all.filter(o => namespace === '' || o.namespace === namespace);
  const candidates = [
    all.filter(o => o.name === name),
    inReach.filter(o => o.name.startsWith(`${name}-`)),
    inReach.filter(o => distance(o.name, name) <= MAX_TYPOS),
  ];
  const found = candidates.find(list => list.length > 0) ?? [];
  return found.map(o => `${o.namespace}/${o.name}`).sort();
}

/** Levenshtein's. */
function distance(a: string, b: string): number {
  let before = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (before[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (before[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    before = row;
  }
  return before[b.length] ?? 0;
}
