import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'tap';
import { ask, deploy } from '../../src/waypoint/testing/deploy.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';
import { type Ran, run } from './program.ts';

/**
 * What people really send requests with, through a waypoint between HBONE peers: curl, h2load and wrk. They come with the
 * packages curl, nghttp2-client and wrk; without them this fails.
 */
interface Test {
  teardown(end: () => unknown): void;
  equal(found: unknown, wanted: unknown): boolean;
}

async function waypoint(t: Test): Promise<number> {
  const lab = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => lab.close());
  const app = createServer({ maxHeaderSize: 200_000 }, (req, res) => {
    if (req.url === '/large') {
      res.writeHead(200);
      const slice = Buffer.alloc(1024 * 1024, 'l');
      let left = 300;
      const write = (): void => {
        while (left-- > 0) if (!res.write(slice)) return void res.once('drain', write);
        res.end();
      };
      return write();
    }
    const hash = createHash('sha256');
    let bytes = 0;
    req.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    req.on('end', () =>
      res.end(
        `${req.method} ${req.url} ${bytes} ${hash.digest('hex').slice(0, 8)} ${String(req.headers['x-big'] ?? '').length}\n`,
      ),
    );
  });
  const { port } = await deploy(lab, [app], undefined, 'http11');
  t.equal((await ask(port)).status, 200);
  return port;
}

test('curl: every version of HTTP, uploads with and without a length, 100-continue, large headers', async t => {
  const port = await waypoint(t);
  const url = `http://127.0.0.1:${port}`;
  const curl = (...args: string[]): Promise<Ran> =>
    run('curl', ['-sS', '--fail', '--max-time', '30', ...args]);
  for (const version of ['--http1.0', '--http1.1', '--http2-prior-knowledge']) {
    t.match(await curl(version, `${url}/a?b=c`), { code: 0, out: /^GET \/a\?b=c 0 / }, version);
    t.match(
      await curl(version, '-I', `${url}/`),
      { code: 0, out: /^HTTP\/[12](\.1)? 200/ },
      `${version} HEAD`,
    );
    const { out } = await curl(version, '-o', '/dev/null', '-w', '%{size_download}', `${url}/large`);
    t.equal(out, String(300 * 1024 * 1024), `${version}, 300 MiB`);
  }
  t.match(await curl('--http2', `${url}/`), { code: 0, out: /^GET / }, 'an offer of h2c is not taken up');
  const body = Buffer.alloc(3_000_000, 'u');
  const digest = createHash('sha256').update(body).digest('hex').slice(0, 8);
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    for (const header of ['Transfer-Encoding: chunked', 'Expect: 100-continue', 'X-Plain: 1']) {
      if (version !== '--http1.1' && header.startsWith('Transfer')) continue;
      const args = ['-sS', '--fail', version, '-T', '-', '-H', header, `${url}/up`];
      t.match(
        await run('curl', args, body),
        { code: 0, out: `PUT /up 3000000 ${digest} 0` },
        `${version} ${header}`,
      );
    }
  }
  t.match(await curl('-H', `x-big: ${'b'.repeat(70_000)}`, `${url}/`), { code: 0, out: / 70000\n$/ });
});

test('h2load and wrk: many streams and connections at once, and none fails', async t => {
  const port = await waypoint(t);
  const url = `http://127.0.0.1:${port}/`;
  const h2 = await run('h2load', ['-n', '5000', '-c', '8', '-m', '32', '-p', 'h2c', url]);
  t.match(h2.out, /5000 succeeded, 0 failed, 0 errored, 0 timeout/);
  t.match(h2.out, /5000 2xx, 0 3xx, 0 4xx, 0 5xx/);
  const h1 = await run('h2load', ['--h1', '-n', '3000', '-c', '16', url]);
  t.match(h1.out, /3000 succeeded, 0 failed, 0 errored, 0 timeout/);
  const wrk = await run('wrk', ['-c', '32', '-t', '2', '-d', '2s', url]);
  t.match(wrk.out, /\d+ requests in /);
  t.notMatch(wrk.out, /Socket errors|Non-2xx/);
});
