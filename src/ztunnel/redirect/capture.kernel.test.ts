import { createSocket, type SocketOptions } from 'node:dgram';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { test } from 'tap';
import { systemClock } from '#shared/lifecycle/clock.ts';
import { runInNetns } from '#shared/native/netns.ts';
import { listenInNetns, openOutgoingSocket } from '#shared/native/socket-factory.ts';
import { closeFd } from '#shared/native/socket.ts';
import { cannotMakeNetns, type LabNetns, NetnsLab } from '#shared/testing/netns-lab.ts';
import { openDescriptors } from '#shared/testing/open-descriptors.ts';
import { CAPTURE_PORTS, type CaptureOptions, DEFAULT_PROBE_SOURCES } from './capture-rules.ts';
import { createNft, type Nft } from './nft.ts';
import { originalDestination } from './original-dst.ts';
import { Redirection } from './redirection.ts';

const skip = cannotMakeNetns();
const OPTIONS = {
  ports: CAPTURE_PORTS,
  probeSources: [...DEFAULT_PROBE_SOURCES, '10.77.0.9'],
  captureDns: false,
  sysctlDirectory: '/proc/sys/net',
};
/** How answers find the proxy. */
const ANSWERS = [
  ['sockets keep the mark', OPTIONS],
  ['connection tracking keeps the mark', { ...OPTIONS, sysctlDirectory: undefined }],
] as const;
/** A kernel that refuses a ruleset captures with the next one. */
const MEANT = ({ sysctlDirectory }: CaptureOptions): RegExp =>
  sysctlDirectory === undefined ? /mark_output/ : /untracked_output/;
const SETTINGS = ['net.ipv4.tcp_fwmark_accept', 'net.ipv4.fwmark_reflect', 'net.ipv6.fwmark_reflect'];
const nft = createNft(systemClock);

/** Two namespaces, the pod's captured; sockets on the three ports answer with what they learn. */
async function capturedPod(lab: NetnsLab, options: CaptureOptions): Promise<Redirection> {
  for (const [port, name] of [
    [15001, 'outbound'],
    [15006, 'inbound'],
  ] as const) {
    for (const fd of listenInNetns(lab.pod.netns.fd, port)) {
      await lab.pod.adopt(fd, socket => socket.end(describe(name, socket)));
    }
  }
  const redirection = new Redirection(lab.pod.netns.fd, options, nft);
  await redirection.apply();
  return redirection;
}

function describe(name: string, socket: Socket): string {
  const local = { ip: socket.localAddress ?? '', port: socket.localPort ?? 0 };
  const original = originalDestination(fdOf(socket), local);
  if (original.kind === 'direct') return `${name} direct`;
  return `${name} from ${socket.remoteAddress} to ${original.destination.ip} ${original.destination.port}`;
}

/** Node has no public accessor for the descriptor of an accepted socket. */
function fdOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number') throw new Error('the socket has no descriptor');
  return fd;
}

async function answer(connecting: Promise<Socket>): Promise<string> {
  const socket = await connecting;
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'end');
  socket.end();
  return text;
}

for (const [how, options] of ANSWERS)
  test(`capture in the kernel: ${how}`, { skip }, async t => {
    const lab = new NetnsLab();
    t.teardown(() => lab.close());
    const { client, pod } = lab;
    const redirection = await capturedPod(lab, options);
    t.match(pod.exec('nft', ['list', 'ruleset']), MEANT(options), 'by the rules that were meant');
    for (const [ip, port] of [
      [client.ipv4, 8080],
      [client.ipv6, 8080],
      [pod.ipv4, 7000],
      [pod.ipv6, 7000],
      ['127.0.0.1', 7001],
      ['::1', 7001],
    ] as const) {
      const where = ip.endsWith('1') && !ip.startsWith('127') && ip !== '::1' ? client : pod;
      await where.listen({ ip, port }, s => s.end(`app sees ${s.remoteAddress}`));
    }

    for (const [sentence, dial, expected] of [
      [
        'what the pod dials over IPv4 arrives at 15001 with its destination',
        () => pod.connect({ ip: client.ipv4, port: 8080 }),
        'outbound from 10.77.0.2 to 10.77.0.1 8080',
      ],
      [
        'what the pod dials over IPv6 arrives at 15001 with its destination',
        () => pod.connect({ ip: client.ipv6, port: 8080 }),
        'outbound from fd77::2 to fd77::1 8080',
      ],
      [
        'a service address that no host has is captured',
        () => pod.connect({ ip: '10.96.0.10', port: 80 }),
        'outbound from 10.77.0.2 to 10.96.0.10 80',
      ],
      [
        'plaintext to the pod over IPv4 arrives at 15006 with its port',
        () => client.connect({ ip: pod.ipv4, port: 7000 }),
        'inbound from 10.77.0.1 to 10.77.0.2 7000',
      ],
      [
        'plaintext to the pod over IPv6 arrives at 15006 with its port',
        () => client.connect({ ip: pod.ipv6, port: 7000 }),
        'inbound from fd77::1 to fd77::2 7000',
      ],
      [
        'dialling port 15001 of the own address is seen as such',
        () => pod.connect({ ip: pod.ipv4, port: 15001 }),
        'outbound direct',
      ],
      [
        'the pod reaches its own address directly over IPv4',
        () => pod.connect({ ip: pod.ipv4, port: 7000 }),
        'app sees 10.77.0.2',
      ],
      [
        'the pod reaches its own address directly over IPv6',
        () => pod.connect({ ip: pod.ipv6, port: 7000 }),
        'app sees fd77::2',
      ],
      [
        'IPv4 loopback is untouched',
        () => pod.connect({ ip: '127.0.0.1', port: 7001 }),
        'app sees 127.0.0.1',
      ],
      ['IPv6 loopback is untouched', () => pod.connect({ ip: '::1', port: 7001 }), 'app sees ::1'],
      [
        'what the proxy sends is not captured',
        () =>
          pod.connectFd(openOutgoingSocket({ netnsFd: pod.netns.fd, remoteIp: client.ipv4 }), {
            ip: client.ipv4,
            port: 8080,
          }),
        'app sees 10.77.0.2',
      ],
      [
        'the application sees the IPv4 address of the client that the proxy stands for',
        () =>
          pod.connectFd(
            openOutgoingSocket({
              netnsFd: pod.netns.fd,
              remoteIp: pod.ipv4,
              source: { ip: '10.55.1.2', port: 0 },
              toApplication: true,
            }),
            { ip: pod.ipv4, port: 7000 },
          ),
        'app sees 10.55.1.2',
      ],
      [
        'the application sees the IPv6 address of the client that the proxy stands for',
        () =>
          pod.connectFd(
            openOutgoingSocket({
              netnsFd: pod.netns.fd,
              remoteIp: pod.ipv6,
              source: { ip: 'fd55::2', port: 0 },
              toApplication: true,
            }),
            { ip: pod.ipv6, port: 7000 },
          ),
        'app sees fd55::2',
      ],
    ] as const) {
      t.equal(await answer(dial()), expected, sentence);
    }

    for (const [remoteIp, ip] of [
      [pod.ipv4, '10.55.1.2'],
      [pod.ipv6, 'fd55::2'],
    ] as const) {
      const fd = openOutgoingSocket({
        netnsFd: pod.netns.fd,
        remoteIp,
        source: { ip, port: 0 },
        toApplication: true,
      });
      const dialled = pod.connectFd(fd, { ip: remoteIp, port: 7999 });
      await t.rejects(
        dialled,
        { code: 'ECONNREFUSED' },
        `the kernel's refusal finds the proxy as well: ${ip}`,
      );
    }

    t.equal(await udpEcho(lab), 'ping', 'UDP to and from the pod passes untouched');

    client.exec('ip', ['addr', 'add', '10.77.0.9/24', 'dev', client.link]);
    const probe = openOutgoingSocket({
      netnsFd: client.netns.fd,
      remoteIp: pod.ipv4,
      source: { ip: '10.77.0.9', port: 0 },
    });
    t.equal(
      await answer(client.connectFd(probe, { ip: pod.ipv4, port: 7000 })),
      'app sees 10.77.0.9',
      'a health probe reaches the application without the proxy',
    );

    await redirection.drain();
    t.equal(
      await answer(pod.connect({ ip: client.ipv4, port: 8080 })),
      'app sees 10.77.0.2',
      'while draining, new connections go direct',
    );
    await redirection.remove();
    t.equal(pod.exec('nft', ['list', 'ruleset']), '', 'removal leaves no rule behind');
    t.notMatch(pod.exec('ip', ['rule']), /100/, 'removal leaves no routing rule behind');
    t.same(pod.exec('sysctl', ['-n', ...SETTINGS]), '0\n0\n0\n', 'removal leaves no setting behind');
    t.equal(
      await answer(client.connect({ ip: pod.ipv4, port: 7000 })),
      'app sees 10.77.0.1',
      'after removal the pod is as it was',
    );
  });

test('a connection that was open before the rules came, or is open when they drain, lives on', {
  skip,
}, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const { client, pod } = lab;
  await client.listen({ ip: client.ipv4, port: 8080 }, s => s.pipe(s));
  const before = await pod.connect({ ip: client.ipv4, port: 8080 });
  for (const fd of listenInNetns(pod.netns.fd, 15001)) await pod.adopt(fd, s => s.pipe(s));
  const redirection = new Redirection(pod.netns.fd, OPTIONS, nft);
  await redirection.apply();
  t.equal(await echo(before, 'one'), 'one', 'open before');
  const captured = await pod.connect({ ip: '10.96.0.1', port: 80 });
  t.equal(await echo(captured, 'two'), 'two', 'captured');
  await redirection.drain();
  t.equal(await echo(captured, 'three'), 'three', 'captured, and the rules drain');
});

for (const [how, options] of ANSWERS)
  test(`the proxy may dial the application from the very port that the client dialled from: ${how}`, {
    skip,
  }, async t => {
    const lab = new NetnsLab();
    t.teardown(() => lab.close());
    const { client, pod } = lab;
    for (const fd of listenInNetns(pod.netns.fd, 15006)) await pod.adopt(fd, s => s.pipe(s));
    await new Redirection(pod.netns.fd, options, nft).apply();
    for (const [from, to] of [
      [client.ipv4, pod.ipv4],
      [client.ipv6, pod.ipv6],
    ] as const) {
      await pod.listen({ ip: to, port: 7000 }, s =>
        s.once('data', d => s.write(`app ${s.remotePort} ${String(d)}`)),
      );
      const redirected = await client.connect({ ip: to, port: 7000 });
      t.equal(await echo(redirected, 'one'), 'one', 'the redirected connection');
      const source = { ip: from, port: redirected.localPort ?? 0 };
      const fd = openOutgoingSocket({ netnsFd: pod.netns.fd, remoteIp: to, source, toApplication: true });
      const own = await pod.connectFd(fd, { ip: to, port: 7000 });
      t.equal(
        await echo(own, 'two'),
        `app ${source.port} two`,
        "the proxy's connection with the same addresses and ports",
      );
      t.equal(await echo(redirected, 'three'), 'three', 'and the first one lives on');
    }
  });

/** Counts first packets of connections to port 7000, ahead of the pod's guard and behind it; and hides resets from connection tracking. */
const OBSERVER = `table inet observer {
  counter arrived { }
  counter passed { }
  chain ahead { type filter hook input priority -10; tcp dport 7000 tcp flags & (syn | ack) == syn counter name arrived; }
  chain behind { type filter hook input priority 10; tcp dport 7000 tcp flags & (syn | ack) == syn counter name passed; }
  chain resets { type filter hook output priority -350; tcp flags & rst == rst notrack; }
}
`;
/** The first packet of what the client dials leaves as one from the middle of a connection. */
const DISGUISE = `table inet disguise {
  chain first { type filter hook output priority 0; tcp flags & (syn | ack) == syn @th,104,8 set 0x10; }
}
`;

test('a connection that begins with a packet from the middle of one does not get past the proxy', {
  skip,
}, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const { client, pod } = lab;
  for (const fd of listenInNetns(pod.netns.fd, 15006)) await pod.adopt(fd, s => s.end('inbound'));
  const counted = (name: string): number =>
    Number(/packets (\d+)/.exec(pod.exec('nft', ['list', 'counter', 'inet', 'observer', name]))?.[1]);
  await new Redirection(pod.netns.fd, OPTIONS, nft).apply();
  pod.exec('nft', ['-f', '-'], OBSERVER);
  let reached = 0;
  for (const [i, ip] of [pod.ipv4, pod.ipv6].entries()) {
    await pod.listen({ ip, port: 7000 }, s => {
      reached++;
      s.end('app');
    });
    client.exec('nft', ['-f', '-'], DISGUISE);
    const dialled = client.connect({ ip, port: 7000 });
    dialled.catch(() => undefined);
    await setImmediate();
    // The disguised packet has been sent by now: what the kernel sends again, a second later, is the SYN that it was.
    client.exec('nft', ['delete', 'table', 'inet', 'disguise']);
    while (counted('arrived') <= i && reached === 0) await setImmediate();
    t.same({ passed: counted('passed'), reached }, { passed: 0, reached: 0 }, ip);
  }
});

test('a kernel without connection-tracking zones captures all the same', { skip }, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const loads: string[] = [];
  const zoneless: Nft = (netnsFd, args, input) => {
    if (args[0] === '-f') loads.push(input);
    const refused = { exitCode: 1, stdout: '', stderr: 'Error: Could not process rule: Not supported' };
    return input.includes(' zone ') ? Promise.resolve(refused) : nft(netnsFd, args, input);
  };
  const tracking = { ...OPTIONS, sysctlDirectory: undefined };
  const redirection = new Redirection(lab.pod.netns.fd, tracking, zoneless);
  await redirection.apply();
  t.same(await redirection.repair(), []);
  await redirection.drain();
  t.equal(loads.filter(text => text.includes(' zone ')).length, 1, 'it is asked once');
  const refusing: Nft = () =>
    Promise.resolve({ exitCode: 1, stdout: '', stderr: 'Operation not permitted\n' });
  await t.rejects(new Redirection(lab.pod.netns.fd, OPTIONS, refusing).apply(), {
    message: 'nft refused the rules: Operation not permitted',
  });
});

test('rules that were tampered with are found and repaired', { skip }, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const { pod } = lab;
  const redirection = new Redirection(pod.netns.fd, OPTIONS, nft);
  await redirection.apply();
  t.same(await redirection.repair(), [], 'nothing to repair right after loading');
  await redirection.apply();
  t.same(await redirection.repair(), [], 'loading twice gives the same rules');
  for (const [program, args, found] of [
    [
      'nft',
      ['flush', 'chain', 'inet', 'ambient_mesh', 'redirect_output'],
      'table inet ambient_mesh was changed',
    ],
    [
      'nft',
      ['insert', 'rule', 'inet', 'ambient_mesh', 'redirect_output', 'accept'],
      'table inet ambient_mesh was changed',
    ],
    ['nft', ['delete', 'table', 'inet', 'ambient_mesh'], 'table inet ambient_mesh was missing'],
    ['ip', ['rule', 'del', 'pref', '32764'], 'the IPv4 rule for mark 0x111 was missing'],
    ['ip', ['-6', 'rule', 'del', 'pref', '32764'], 'the IPv6 rule for mark 0x111 was missing'],
    ['ip', ['route', 'flush', 'table', '100'], 'the IPv4 local route of table 100 was missing'],
    ['ip', ['-6', 'route', 'flush', 'table', '100'], 'the IPv6 local route of table 100 was missing'],
    ['sysctl', ['-qw', 'net.ipv4.tcp_fwmark_accept=0'], 'net.ipv4.tcp_fwmark_accept was not 1'],
    ['sysctl', ['-qw', 'net.ipv6.fwmark_reflect=0'], 'net.ipv6.fwmark_reflect was not 1'],
  ] as const) {
    pod.exec(program, args);
    t.same(await redirection.repair(), [found], `${program} ${args.join(' ')}`);
    t.same(await redirection.repair(), [], 'and once is enough');
  }
});

/** As ztunnels did it whose sockets did not keep marks. */
const dialAsOlder = (pod: LabNetns, ip: string): Promise<Socket> =>
  pod.connectFd(openOutgoingSocket({ netnsFd: pod.netns.fd, remoteIp: pod.ipv4, source: { ip, port: 0 } }), {
    ip: pod.ipv4,
    port: 7000,
  });

test('beside an older ztunnel its connections, and those that it still makes, go on until it is gone', {
  skip,
}, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const { client, pod } = lab;
  await pod.listen({ ip: pod.ipv4, port: 7000 }, s => s.pipe(s));
  pod.exec('sysctl', ['-qw', 'net.netfilter.nf_conntrack_tcp_timeout_close=0']);
  const older = listenInNetns(pod.netns.fd, 15008);
  await new Redirection(pod.netns.fd, { ...OPTIONS, sysctlDirectory: undefined }, nft).apply();
  const before = await dialAsOlder(pod, '10.55.1.2');
  t.equal(await echo(before, 'one'), 'one', 'before it is replaced');

  const own = listenInNetns(pod.netns.fd, 15008);
  t.teardown(() => own.forEach(closeFd));
  const redirection = new Redirection(pod.netns.fd, OPTIONS, nft);
  await redirection.apply();
  t.equal(await echo(before, 'two'), 'two', 'what was open');
  const after = await dialAsOlder(pod, '10.55.1.3');
  t.equal(await echo(after, 'three'), 'three', 'what it is asked for by clients that have not left it yet');
  for (const fd of listenInNetns(pod.netns.fd, 15001)) await pod.adopt(fd, s => s.pipe(s));
  const redirected = await pod.connect({ ip: client.ipv4, port: 80 });
  t.equal(await echo(redirected, 'redirected'), 'redirected');
  older.forEach(closeFd);
  t.same(await redirection.repair(), []);
  t.equal(await echo(before, 'four'), 'four', 'while it drains');
  t.match(pod.exec('nft', ['list', 'ruleset']), /mark_output/);

  for (const socket of [before, after]) socket.resetAndDestroy();
  while (pod.exec('nft', ['list', 'ruleset']).includes('mark_output')) {
    t.same(await redirection.repair(), [], 'that it is gone is no repair');
    await setImmediate();
  }
  t.match(pod.exec('nft', ['list', 'ruleset']), /untracked_output/, 'then nothing is tracked any more');
  t.equal(await echo(redirected, 'still'), 'still', 'for which redirected connections need not end');
});

/** What the client dials there, the kernel takes to the pod: other addresses, so other clocks and sequence numbers. */
const SERVICE = (podIp: string): string => `table ip service {
  chain output { type nat hook output priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat to ${podIp}:7000; }
}
`;

/** From each of these ports the proxy has had a connection that the application closed first. */
async function haveHadConnections(pod: LabNetns, ip: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const fd = openOutgoingSocket({
      netnsFd: pod.netns.fd,
      remoteIp: pod.ipv4,
      source: { ip, port },
      toApplication: true,
    });
    await answer(pod.connectFd(fd, { ip: pod.ipv4, port: 7000 }));
  }
  const remembered = (): number => pod.exec('ss', ['-Htan', 'state', 'time-wait']).split('\n').length - 1;
  while (remembered() < ports.length) await setImmediate();
}

const DIRECTLY = [
  ['while the pod leaves', (redirection: Redirection) => redirection.drain()],
  ['as a probe', () => Promise.resolve()],
] as const;

for (const [how, options] of ANSWERS)
  for (const [when, begin] of DIRECTLY)
    test(`who dials a pod directly ${when} may come from ports that the proxy had connections from: ${how}`, {
      skip,
    }, async t => {
      const lab = new NetnsLab();
      t.teardown(() => lab.close());
      const { client, pod } = lab;
      client.exec('nft', ['-f', '-'], SERVICE(pod.ipv4));
      await pod.listen({ ip: pod.ipv4, port: 7000 }, s => s.end(`app sees ${s.remoteAddress}`));
      const sources = [client.ipv4];
      const redirection = new Redirection(pod.netns.fd, { ...options, probeSources: sources }, nft);
      await redirection.apply();
      t.match(pod.exec('nft', ['list', 'ruleset']), MEANT(options), 'by the rules that were meant');
      const ports = Array.from({ length: 16 }, (_, i) => 40_000 + i);
      await haveHadConnections(pod, client.ipv4, ports);
      await begin(redirection);
      const direct = ports.map(port => {
        const source = { ip: client.ipv4, port };
        const fd = openOutgoingSocket({ netnsFd: client.netns.fd, remoteIp: '10.96.0.1', source });
        return answer(client.connectFd(fd, { ip: '10.96.0.1', port: 80 }));
      });
      for (const [i, text] of (await Promise.all(direct)).entries())
        t.equal(text, 'app sees 10.77.0.1', `from port ${ports[i]}`);
    });

test('where the settings cannot be written connection tracking keeps the marks', { skip }, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  for (const sysctlDirectory of ['/nonexistent', '/proc/self/net']) {
    const redirection = new Redirection(lab.pod.netns.fd, { ...OPTIONS, sysctlDirectory }, nft);
    await redirection.apply();
    t.match(lab.pod.exec('nft', ['list', 'ruleset']), /mark_output/);
    t.same(await redirection.repair(), []);
  }
});

test('rules that were loaded are seen in the kernel by the first repair, and are refused if they are others', {
  skip,
}, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const redirection = new Redirection(lab.pod.netns.fd, OPTIONS, nft);
  await redirection.load();
  t.same(await redirection.repair(), [], 'they are as meant');
  await redirection.load();
  lab.pod.exec('nft', ['flush', 'chain', 'inet', 'ambient_mesh', 'redirect_output']);
  await t.rejects(redirection.repair(), { message: /the kernel lists others in table inet ambient_mesh/ });
  await redirection.load();
  lab.pod.exec('nft', ['delete', 'table', 'inet', 'ambient_mesh']);
  t.same(await redirection.repair(), ['table inet ambient_mesh was missing']);
  t.same(await redirection.repair(), []);
});

test('no descriptor is left behind', { skip }, async t => {
  const lab = new NetnsLab();
  t.teardown(() => lab.close());
  const redirection = new Redirection(lab.pod.netns.fd, OPTIONS, nft);
  await redirection.apply();
  const before = openDescriptors();
  for (let i = 0; i < 50; i++) {
    await redirection.repair();
    closeFd(
      openOutgoingSocket({
        netnsFd: lab.pod.netns.fd,
        remoteIp: '10.0.0.1',
        source: { ip: '10.9.9.9', port: 0 },
      }),
    );
    for (const fd of listenInNetns(lab.pod.netns.fd, 15001)) closeFd(fd);
  }
  t.ok(openDescriptors() <= before);
});

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const received: unknown[] = await once(socket, 'data');
  return String(received[0]);
}

/** A lookup that answers at once keeps `bind` within the turn in which the thread is in the namespace. */
const UDP4: SocketOptions = {
  type: 'udp4',
  lookup: (host, _options, callback) => callback(null, host, 4),
};

/** A datagram from the client to the pod and back, over sockets of the kernel's own choosing. */
async function udpEcho(lab: NetnsLab): Promise<string> {
  const server = runInNetns(lab.pod.netns.fd, () => createSocket(UDP4).bind(5353, lab.pod.ipv4));
  const client = runInNetns(lab.client.netns.fd, () => createSocket(UDP4).bind(0, lab.client.ipv4));
  server.on('message', (message, peer) => server.send(message, peer.port, peer.address));
  client.send('ping', 5353, lab.pod.ipv4);
  const received: unknown[] = await once(client, 'message');
  server.close();
  client.close();
  return String(received[0]);
}
