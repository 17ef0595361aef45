import { test } from 'tap';
import { eventually } from '../eventually.ts';
import { loadReport } from '../load-report.ts';
import { echoPod, pod, service } from '../objects.ts';
import { nodeNames, skip, testNamespace } from '../test-namespace.ts';

/** One gRPC message: not compressed, five bytes long. */
const GRPC_CALL = [
  'node',
  '-e',
  `const call = require('http2').connect('http://server:8081').request({ ':method': 'POST', ':path': '/test.Echo/Echo', 'content-type': 'application/grpc', te: 'trailers' });
   let body = Buffer.alloc(0); call.on('data', c => body = Buffer.concat([body, c])); call.on('trailers', t => { console.log(body.subarray(5).toString(), t['grpc-status']); process.exit(0); });
   call.on('error', e => { console.log(e.message); process.exit(1); }); call.end(Buffer.from([0, 0, 0, 0, 5, ...Buffer.from('hello')]));`,
];
const WEBSOCKET_CALL = [
  'node',
  '-e',
  `const socket = new WebSocket('ws://server/'); socket.onopen = () => socket.send('hello'); socket.onmessage = e => { console.log(e.data); process.exit(0); };
   socket.onerror = () => process.exit(1);`,
];
const UDP_CALL = [
  'node',
  '-e',
  `const socket = require('dgram').createSocket('udp4'); socket.on('message', m => { console.log(String(m)); process.exit(0); }); socket.send('hello', 9001, 'server');
   setTimeout(() => process.exit(1), 3000);`,
];
/** Prints what the server says first, and how long that took. */
const BANNER_CALL = [
  'node',
  '-e',
  `const at = performance.now(); require('net').connect(9000, 'server').once('data', b => { console.log(Math.round(performance.now() - at), String(b).trim()); process.exit(0); });
   setTimeout(() => process.exit(1), 5000);`,
];

test('protocols between pods of the mesh, on two nodes', { skip }, async t => {
  const [one = '', two = one] = await nodeNames();
  const ns = await testNamespace(t, 'protocols');
  await ns.apply(
    service('server'),
    echoPod('server', { node: two }),
    pod('client', { node: one }),
    service('redis', { ports: [{ name: 'redis', port: 6379 }] }),
    pod('redis', {
      node: two,
      command: ['redis-server', '--save', '', '--protected-mode', 'no', '--dir', '/tmp'],
    }),
  );
  await ns.ready();
  await ns.reachable('client', 'http://server/');

  t.match(await ns.exec('client', ...GRPC_CALL), { status: 0, stdout: 'hello 0\n' }, 'gRPC');
  t.match(await ns.exec('client', ...WEBSOCKET_CALL), { status: 0, stdout: 'hello\n' }, 'WebSocket');
  t.match(await ns.exec('client', ...UDP_CALL), { status: 0, stdout: 'hello\n' }, 'UDP is left alone');
  const dns = await ns.exec('client', 'nslookup', `server.${ns.name}.svc.cluster.local`);
  t.match(dns, { status: 0, stdout: /Address: 10\.\d+\.\d+\.\d+/ }, 'DNS is left alone');

  const banner = await ns.exec('client', ...BANNER_CALL);
  t.match(banner.stdout, /^\d+ 220 server/, 'a server that speaks first');
  t.ok(Number.parseInt(banner.stdout, 10) < 500, `and is not held up: ${banner.stdout.trim()}`);

  await eventually('redis answers', 10_000, async () => {
    const { stdout } = await ns.exec('client', 'redis-cli', '-h', 'redis', 'ping');
    return stdout === 'PONG\n' ? true : stdout;
  });
  const redis = ['redis-cli', '-h', 'redis'];
  t.match(await ns.exec('client', ...redis, 'set', 'key', 'x'.repeat(100_000)), { stdout: 'OK\n' });
  t.equal((await ns.exec('client', ...redis, 'get', 'key')).stdout.trim().length, 100_000, 'Redis');

  const large = await ns.exec(
    'client',
    'sh',
    '-c',
    "node -e 'process.stdout.write(Buffer.alloc(20e6, 120))' | curl -sS -m 20 --data-binary @- http://server/ | node -e 'let n=0;process.stdin.on(`data`,c=>n+=c.length).on(`end`,()=>console.log(n))'",
  );
  t.ok(Number(large.stdout) > 20e6, `20 MB there and back: ${large.stdout.trim()} ${large.stderr}`);
});

test('a long-lived connection is quiet for a while and goes on', { skip }, async t => {
  const ns = await testNamespace(t, 'longlived');
  await ns.apply(service('server'), echoPod('server'), pod('client'));
  await ns.ready();
  await ns.reachable('client', 'http://server/');
  const report = loadReport(await ns.load('client', '--seconds=15', '--stream', 'server:9000').done);
  t.equal(report.failed, 0, JSON.stringify(report));
  const quiet = await ns.exec(
    'client',
    'sh',
    '-c',
    '(echo one; sleep 8; echo two; sleep 1) | nc -w 12 server 9000',
  );
  t.match(quiet.stdout, /^220 .*\r\none\ntwo\n/, 'silence of 8 s ends nothing');
});
