import { test } from 'tap';
import { type ClassifiedEnd, failureByClass, isFailedRequest } from './classify.ts';
import type { ResponseClass, ResponseCondition } from './condition.ts';

const status = (min: number, max = min): ResponseCondition => ({ kind: 'status', min, max });
const failure = (condition: ResponseCondition): ResponseClass => ({ condition, isFailure: true });
const success = (condition: ResponseCondition): ResponseClass => ({ condition, isFailure: false });

const CLASSES: readonly (readonly [string, ResponseClass[], number, boolean | undefined])[] = [
  ['no class says nothing', [], 500, undefined],
  ['a status in the range', [failure(status(400, 499))], 404, true],
  ['a status beyond it', [failure(status(400, 499))], 500, undefined],
  ['the first that holds decides', [success(status(404)), failure(status(400, 499))], 404, false],
  ['…and not the second', [failure(status(400, 499)), success(status(404))], 404, true],
  ['all must hold', [failure({ kind: 'all', of: [status(400, 499), status(450, 550)] })], 440, undefined],
  ['all hold', [failure({ kind: 'all', of: [status(400, 499), status(450, 550)] })], 460, true],
  ['any is enough', [failure({ kind: 'any', of: [status(404), status(410)] })], 410, true],
  ['not turns it round', [failure({ kind: 'not', condition: status(200, 299) })], 301, true],
];

test('response classes', t => {
  for (const [name, classes, code, expected] of CLASSES)
    t.equal(failureByClass(classes, code), expected, name);
  t.end();
});

const OK: ClassifiedEnd = { status: 200, grpcStatus: '', broken: false };
const ENDS: readonly (readonly [string, ResponseClass[], Partial<ClassifiedEnd>, boolean])[] = [
  ['a 2xx succeeds', [], {}, false],
  ['a 4xx succeeds', [], { status: 404 }, false],
  ['a 5xx fails', [], { status: 500 }, true],
  ['what a class calls a failure fails', [failure(status(404))], { status: 404 }, true],
  ['what a class calls none succeeds', [success(status(500))], { status: 500 }, false],
  ['what breaks off fails, whatever the class', [success(status(200))], { broken: true }, true],
  ['gRPC OK succeeds', [], { grpcStatus: '0' }, false],
  ['gRPC NOT_FOUND succeeds', [], { grpcStatus: '5' }, false],
  ['gRPC UNAVAILABLE fails', [], { grpcStatus: '14' }, true],
  ['a class for the HTTP status goes before gRPC’s', [success(status(200))], { grpcStatus: '14' }, false],
];

test('a request failed, or did not', t => {
  for (const [name, classes, end, expected] of ENDS)
    t.equal(isFailedRequest(classes, { ...OK, ...end }), expected, name);
  t.end();
});
