import { test } from 'tap';
import { parseTap } from './tap-filter.ts';

const parse = (query: string): ReturnType<typeof parseTap> => parseTap(new URLSearchParams(query));

test('a tap without parameters shows everything for a minute, a hundred requests a second', t => {
  const parsed = parse('');
  t.match(parsed, { ok: true, request: { maxPerSecond: 100, durationMs: 60_000, headers: false } });
  t.end();
});

test('each parameter narrows the tap', t => {
  t.match(
    parse(
      'service=payments&namespace=shop&source=cart-0&method=get&path=/api&status=5xx&max_rps=7&limit=3&duration=5s&headers=true',
    ),
    {
      ok: true,
      request: {
        filter: {
          service: 'payments',
          namespace: 'shop',
          source: 'cart-0',
          method: 'GET',
          path: '/api',
          status: { min: 500, max: 599 },
        },
        maxPerSecond: 7,
        limit: 3,
        durationMs: 5_000,
        headers: true,
      },
    },
  );
  t.match(parse('status=404'), { request: { filter: { status: { min: 404, max: 404 } } } });
  t.end();
});

test('what is wrong is told at once, with what is accepted', t => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['verb=GET', /verb is no parameter of a tap; there are namespace, service, /],
    ['status=6xx', /status "6xx" is not accepted; use a status \(404\) or a class \(5xx\)/],
    ['max_rps=0', /max_rps "0" is not accepted; use 1 to 1000/],
    ['max_rps=5000', /use 1 to 1000/],
    ['limit=many', /limit "many" is not accepted/],
    ['duration=2h', /duration "2h" is not accepted; use 1s to 1h/],
    ['duration=1', /use 1s to 1h/],
    ['headers=yes', /headers "yes" is not accepted; use true or false/],
    ['path=', /path is empty or longer/],
    [`path=${'x'.repeat(1_025)}`, /path is empty or longer than 1024/],
    ['headers=yes&limit=0', /limit[^]*headers/],
  ];
  for (const [query, reason] of rows) t.match(parse(query), { ok: false, reason }, query);
  t.end();
});
