import { test } from 'tap';
import { readAddress, readIp, readRequiredAddress } from './address.ts';
import { readControllerAddress } from './controller-address.ts';
import { EnvReader, readEnvironment } from './env-reader.ts';
import { parseList } from './list.ts';

const ADDRESSES: readonly (readonly [string, string, object | undefined])[] = [
  ['the default holds when nothing is set', '', { ip: '0.0.0.0', port: 15008 }],
  ['IPv4', '10.0.0.1:80', { ip: '10.0.0.1', port: 80 }],
  ['IPv6 is in brackets, and becomes canonical', '[FD00:0::1]:80', { ip: 'fd00::1', port: 80 }],
  ['off is none', 'off', undefined],
];

test('addresses to listen on', t => {
  for (const [name, text, expected] of ADDRESSES) {
    const env = new EnvReader({ HBONE_ADDR: text });
    t.strictSame(readAddress(env, 'HBONE_ADDR', '0.0.0.0:15008', ''), expected, name);
    env.finish();
  }
  for (const text of ['10.0.0.1', 'localhost:80', '10.0.0.1:0', 'fd00::1:80']) {
    t.throws(
      () => readEnvironment({ A: text }, env => readAddress(env, 'A', 'off', '')),
      {
        message: `wrong configuration:\n  A: ${JSON.stringify(text)} is not accepted; use IP:PORT ([IPv6]:PORT) or off`,
      },
      text,
    );
  }
  t.end();
});

test('an address that has to be', t => {
  const read = (env: EnvReader) => readRequiredAddress(env, 'A', '0.0.0.0:1', '');
  t.strictSame(readEnvironment({ A: '127.0.0.1:2' }, read), { ip: '127.0.0.1', port: 2 });
  t.throws(() => readEnvironment({ A: 'off' }, read), {
    message: 'wrong configuration:\n  A: cannot be off',
  });
  t.throws(() => readEnvironment({ A: 'x' }, read), { message: /A: "x" is not accepted/ });
  t.end();
});

test('an IP address is canonical', t => {
  t.equal(readIp(new EnvReader({ IP: '0:0::FF' }), 'IP', '127.0.0.1', ''), '::ff');
  t.end();
});

test('a controller is a host and a port', t => {
  const read = (env: EnvReader) => readControllerAddress(env, 'XDS', '');
  t.equal(readEnvironment({ XDS: 'https://istiod:15012' }, read), 'istiod:15012');
  t.equal(readEnvironment({}, read), undefined);
  t.throws(() => readEnvironment({ XDS: 'ftp://x' }, read), {
    message: /use host:port or https:\/\/host:port/,
  });
  t.end();
});

test('a list leaves out blanks and empty parts', t => {
  t.strictSame(parseList(' a, ,b,,'), ['a', 'b']);
  t.strictSame(parseList(''), []);
  t.end();
});
