import { test } from 'tap';
import { type GuardedRequest, refusalOf } from './guard.ts';

const TOKEN = 'a-token';
const PAGE: GuardedRequest = {
  method: 'GET',
  path: '/',
  host: '127.0.0.1:15050',
  origin: undefined,
  fetchSite: undefined,
  authorization: undefined,
};
const API: GuardedRequest = { ...PAGE, path: '/api/live', authorization: `Bearer ${TOKEN}` };

/** [sentence, request, status; undefined: it is served] */
const REQUESTS: readonly (readonly [string, GuardedRequest, number | undefined])[] = [
  ['the page needs no token: there is nothing in it', PAGE, undefined],
  ['what tells of the mesh needs it', { ...API, authorization: undefined }, 401],
  ['and the right one', { ...API, authorization: 'Bearer another' }, 401],
  ['with it', API, undefined],
  ['localhost', { ...API, host: 'localhost:9000' }, undefined],
  ['an IPv6 address', { ...API, host: '[::1]:15050' }, undefined],
  ['without a port', { ...API, host: '10.0.0.1' }, undefined],
  ['a name that was allowed, in any case', { ...API, host: 'Mesh.example:80' }, undefined],
  ['DNS rebinding: a name of somebody else that leads here', { ...API, host: 'evil.example:15050' }, 403],
  ['also for the page itself', { ...PAGE, host: 'evil.example:15050' }, 403],
  ['a name that only looks like an address', { ...API, host: '127.0.0.1.evil.example' }, 403],
  ['no name at all', { ...API, host: '' }, 403],
  ['a page of another site that asks', { ...API, fetchSite: 'cross-site' }, 403],
  ['one of another port of the same machine', { ...API, fetchSite: 'same-site' }, 403],
  ['the page itself', { ...API, fetchSite: 'same-origin', origin: 'http://127.0.0.1:15050' }, undefined],
  ['a script of another origin', { ...API, origin: 'http://evil.example' }, 403],
  ['an opaque origin', { ...API, origin: 'null' }, 403],
  ['nothing is changed', { ...API, method: 'POST' }, 405],
  ['a link elsewhere may lead to the page', { ...PAGE, fetchSite: 'cross-site' }, undefined],
  ['HEAD of the page', { ...PAGE, method: 'HEAD' }, undefined],
  ['HEAD of a stream', { ...API, method: 'HEAD' }, 405],
];

test('who is served', t => {
  for (const [sentence, request, status] of REQUESTS)
    t.equal(refusalOf(request, { token: TOKEN, hosts: ['mesh.example'] })?.status, status, sentence);
  t.end();
});
