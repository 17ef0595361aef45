import { test } from 'tap';
import { kubeObject } from '../../testing/golden-pairs.ts';
import { strictWhereNeverGood } from './never-good.ts';
import { translatePeerAuthentication } from './peer-authentication.ts';

const STRICT = { mtls: { mode: 'STRICT' } };
const SELECTOR = { selector: { matchLabels: { app: 'payments' } } };
const PORTS = { portLevelMtls: { http: { mode: 'PERMISSIVE' }, 8080: { mode: 'PERMISSIVE' } } };
const strict = { mode: 'strict', portModes: new Map() };

const rows: readonly { readonly name: string; readonly spec: object; readonly held: object | undefined }[] = [
  {
    name: 'STRICT holds for every port, though ports would be exceptions',
    spec: { ...STRICT, ...SELECTOR, ...PORTS },
    held: { ...strict, selects: new Map([['app', 'payments']]) },
  },
  {
    name: 'STRICT of a namespace, with ports of nobody',
    spec: { ...STRICT, portLevelMtls: { 8080: { mode: 'STRICT' } } },
    held: { ...strict, selects: undefined },
  },
  {
    name: 'PERMISSIVE asks for nothing',
    spec: { mtls: { mode: 'PERMISSIVE' }, ...SELECTOR, ...PORTS },
    held: undefined,
  },
  { name: 'a mode that is none', spec: { mtls: { mode: 'Strict' }, ...SELECTOR }, held: undefined },
  { name: 'a misspelt selector: it would be for all', spec: { ...STRICT, selectors: {} }, held: undefined },
  { name: 'a selector that cannot be read', spec: { ...STRICT, selector: 'payments' }, held: undefined },
];

for (const { name, spec, held } of rows)
  test(`what holds of a PeerAuthentication that was never good: ${name}`, t => {
    const object = kubeObject('PeerAuthentication', spec);
    t.notOk(translatePeerAuthentication(object).ok);
    const found = strictWhereNeverGood(object);
    if (held === undefined) t.equal(found, undefined);
    else t.match(found, held);
    t.end();
  });
