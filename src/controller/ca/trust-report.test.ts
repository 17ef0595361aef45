import { test } from 'tap';
import { formatTrustReport, parseTrustReport, type TrustReport, unconfirmedProxies } from './trust-report.ts';

const report = (confirmed: string[], unconfirmed: string[], version = '2'): TrustReport => ({
  version,
  confirmed,
  unconfirmed,
});

const ROWS: readonly (readonly [
  sentence: string,
  reports: Readonly<Record<string, TrustReport | undefined>>,
  waitingFor: readonly (string | RegExp)[],
])[] = [
  [
    'nobody is waited for when every proxy of every replica has confirmed',
    { a: report(['p'], []), b: report(['q'], []) },
    [],
  ],
  ['a proxy of another replica is waited for', { a: report(['p'], []), b: report([], ['q']) }, ['q']],
  [
    'a proxy that moved and confirmed where it is now is not',
    { a: report([], ['p']), b: report(['p'], []) },
    [],
  ],
  ['a proxy that is gone everywhere is', { a: report([], ['p']), b: report(['q'], ['p']) }, ['p']],
  ['so is a replica that has not reported', { a: report(['p'], []), b: undefined }, [/the proxies of b/]],
  [
    'and one whose report is of earlier roots',
    { a: report(['p'], []), b: report(['q'], [], '1') },
    [/the proxies of b/],
  ],
];

test('whom a rotation waits for', t => {
  for (const [sentence, reports, waitingFor] of ROWS) {
    const found = unconfirmedProxies('2', new Map(Object.entries(reports)));
    t.match(found, waitingFor, sentence);
    t.equal(found.length, waitingFor.length, sentence);
  }
  t.end();
});

test('a report is read as it was written, and is bounded', t => {
  const written = report(['p'], ['q', 'r']);
  t.same(parseTrustReport(formatTrustReport(written)), written);
  const many = Array.from(
    { length: 10_000 },
    (_, i) => `ztunnel~10.0.0.1~ztunnel-${i}.istio-system~istio-system`,
  );
  const bounded = parseTrustReport(formatTrustReport(report(many, ['q'])));
  t.ok((bounded?.confirmed.length ?? many.length) < many.length, 'confirmations are left out');
  t.same(bounded?.unconfirmed, ['q'], 'and nothing else');
  for (const text of ['', '{', '[]', '{"version":1}', '{"version":"1","confirmed":[],"unconfirmed":[1]}'])
    t.equal(parseTrustReport(text), undefined, `${text} is no report`);
  t.end();
});
