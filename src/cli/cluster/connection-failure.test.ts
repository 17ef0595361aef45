import { test } from 'tap';
import { connectionFailure } from './connection-failure.ts';

const SERVER = 'https://api:6443';
const fault = (message: string, fields: Readonly<Record<string, string>>): Error =>
  Object.assign(new Error(message), fields);

/** [sentence, error, the one line] */
const ROWS: readonly (readonly [string, unknown, RegExp])[] = [
  [
    'nobody listens: the cluster, or the context',
    fault('connect ECONNREFUSED 10.0.0.1:6443', { code: 'ECONNREFUSED', syscall: 'connect' }),
    /^cannot reach the API server https:\/\/api:6443: connect ECONNREFUSED .*is the cluster up/,
  ],
  [
    'a credential plugin that is not installed is not a cluster that is down',
    fault('spawn aws-iam ENOENT', { code: 'ENOENT', syscall: 'spawn aws-iam', path: 'aws-iam' }),
    /^the credential plugin aws-iam of the kubeconfig cannot be started: ENOENT; install it/,
  ],
  [
    'a plugin that is named by the system call alone',
    fault('spawn plugin EACCES', { code: 'EACCES', syscall: 'spawn plugin' }),
    /^the credential plugin plugin of .*: EACCES/,
  ],
  [
    'a certificate file that is not there is named',
    fault("ENOENT: no such file or directory, open '/etc/ca.crt'", {
      code: 'ENOENT',
      syscall: 'open',
      path: '/etc/ca.crt',
    }),
    /^\/etc\/ca.crt that the kubeconfig names cannot be read: ENOENT$/,
  ],
  [
    'a certificate of somebody else',
    fault("Hostname/IP does not match certificate's altnames", { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
    /^who answers at https:\/\/api:6443 is not trusted: Hostname.*right context, and certificate-authority/,
  ],
  [
    'a certificate of another authority',
    fault('self-signed certificate in certificate chain', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }),
    /is not trusted: self-signed certificate/,
  ],
  [
    'what the client put around it is taken off',
    new Error('GET /version: certificate has expired', {
      cause: fault('certificate has expired', { code: 'CERT_HAS_EXPIRED' }),
    }),
    /is not trusted: certificate has expired;/,
  ],
  ['an expired one', fault('certificate has expired', { code: 'CERT_HAS_EXPIRED' }), /is not trusted: /],
  ['several lines are one', new Error('one\n  two'), /: one two; is the cluster up/],
  ['what is no error at all', 'gone', /^cannot reach the API server .*: gone; /],
];

test('why an API server gave no answer', t => {
  for (const [sentence, error, line] of ROWS) t.match(connectionFailure(SERVER, error), line, sentence);
  t.end();
});
