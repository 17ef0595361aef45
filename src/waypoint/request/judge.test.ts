import { test } from 'tap';
import { ExchangeError, type ExchangeErrorCode } from '#shared/http/exchange.ts';
import { grpcStatusOf, localFailureOf, statusSoFar } from './judge.ts';

const head = (status: number, headers: string[]) => ({ status, headers, contentLength: undefined });
const GRPC = ['content-type', 'application/grpc+proto'];

test('an endpoint is judged by its status; of gRPC by that at the end, or of a response that is trailers only', t => {
  t.equal(statusSoFar(head(503, []), false), 503);
  t.equal(statusSoFar(head(200, ['content-type', 'text/html']), false), 200);
  t.equal(statusSoFar(head(200, GRPC), false), undefined, 'not known yet');
  t.equal(statusSoFar(head(200, [...GRPC, 'grpc-status', '14']), true), 503);
  t.equal(statusSoFar(head(503, GRPC), false), 503, 'no gRPC server answers so: a proxy on the way');
  const rows: readonly (readonly [string, number])[] = [
    ['0', 200],
    ['2', 500],
    ['4', 504],
    ['5', 200],
    ['7', 200],
    ['8', 429],
    ['12', 501],
    ['13', 500],
    ['14', 503],
    ['nonsense', 200],
  ];
  for (const [status, http] of rows) t.equal(grpcStatusOf(['grpc-status', status]), http, `gRPC ${status}`);
  t.equal(grpcStatusOf([]), 200);
  t.end();
});

test('classes of a route say what counts as a failure of the endpoint', t => {
  const of = (min: number, max: number, isFailure: boolean) =>
    ({ condition: { kind: 'status', min, max }, isFailure }) as const;
  const classes = [of(404, 404, true), of(500, 599, false), of(418, 418, false), of(200, 200, true)];
  const rows: readonly (readonly [string, number, number])[] = [
    ['a 4xx that is a failure counts as a 5xx', 404, 500],
    ['a 5xx that is none as a success', 503, 200],
    ['a 4xx that is none likewise', 418, 200],
    ['a status no class speaks of as itself', 429, 429],
  ];
  for (const [name, status, expected] of rows)
    t.equal(statusSoFar(head(status, []), false, classes), expected, name);
  t.equal(statusSoFar(head(200, GRPC), false, classes), 500, 'a class for 200 is for gRPC as well');
  t.equal(
    statusSoFar(head(200, GRPC), false, classes.slice(0, 2)),
    undefined,
    'else gRPC is known at its end',
  );
  t.end();
});

test('how a try broke off says something of the endpoint, or nothing', t => {
  const rows: readonly (readonly [ExchangeErrorCode, boolean, string | undefined])[] = [
    ['connect_failure', false, 'connect'],
    ['timeout', true, 'timeout'],
    ['reset', true, 'broken'],
    ['connection_closed', true, 'broken'],
    ['protocol_error', true, 'broken'],
    ['protocol_error', false, undefined],
    ['cancelled', true, undefined],
    ['overflow', false, undefined],
    ['refused_before_sending', true, undefined],
    ['body_too_large', true, undefined],
  ];
  for (const [code, sent, expected] of rows)
    t.equal(
      localFailureOf(new ExchangeError(code, ''), sent),
      expected,
      `${code}, ${sent ? 'sent' : 'not sent'}`,
    );
  t.end();
});
