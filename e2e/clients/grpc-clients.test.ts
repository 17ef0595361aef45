import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { routeRule } from '../../src/shared/testing/route.ts';
import { addBeside, deploy } from '../../src/waypoint/testing/deploy.ts';
import { WaypointLab } from '../../src/waypoint/testing/waypoint-lab.ts';
import { goProgram } from './go-program.ts';
import { run } from './program.ts';

/** grpcurl and ghz, which are grpc-go, through a waypoint to a server of grpc-js. */
const PROTO = `syntax = "proto3";
package shop;
message Text { string text = 1; }
service Echo { rpc Say(Text) returns (Text); }
`;
const PATH = '/shop.Echo/Say';
const GRPCURL = await goProgram('grpcurl', 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4');
const GHZ = await goProgram('ghz', 'github.com/bojand/ghz/cmd/ghz@v0.93.0');

interface Test {
  teardown(end: () => unknown): void;
}

/** @returns the client's port and the file that describes the service */
async function echo(t: Test): Promise<{ readonly address: string; readonly directory: string }> {
  const directory = mkdtempSync(join(tmpdir(), 'grpc-clients-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'echo.proto'), PROTO);
  const mesh = await WaypointLab.create({ detectionTimeoutMs: 5_000 });
  t.teardown(() => mesh.close());
  const server = new Server();
  // What it gets it gives back: the bytes of a message are those of its answer.
  const asTheyAre = (bytes: Buffer): Buffer => bytes;
  server.addService(
    {
      say: {
        path: PATH,
        requestStream: false,
        responseStream: false,
        requestSerialize: asTheyAre,
        requestDeserialize: asTheyAre,
        responseSerialize: asTheyAre,
        responseDeserialize: asTheyAre,
      },
    },
    { say: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => done(null, call.request) },
  );
  t.teardown(() => server.forceShutdown());
  const ip = mesh.ip(40);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${ip}:0`, ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
  const service = await addBeside(mesh, 'grpc', ip, bound, 'grpc');
  const backend = { weight: 1, service, port: 80, subset: undefined, filters: [] };
  const rules = [routeRule({ backends: [backend] })];
  const { port } = await deploy(mesh, [(_req, res) => res.end()], () => ({ rules }), 'grpc');
  return { address: `127.0.0.1:${port}`, directory };
}

test('grpcurl: a call', { skip: 'reason' in GRPCURL && GRPCURL.reason }, async t => {
  if ('reason' in GRPCURL) return;
  const { address, directory } = await echo(t);
  const proto = ['-plaintext', '-import-path', directory, '-proto', 'echo.proto'];
  const said = await run(GRPCURL.path, [...proto, '-d', '{"text":"hello"}', address, 'shop.Echo/Say']);
  t.match(said, { code: 0, out: /"text": "hello"/ });
});

test('ghz: a thousand calls on ten connections, and none fails', {
  skip: 'reason' in GHZ && GHZ.reason,
}, async t => {
  if ('reason' in GHZ) return;
  const { address, directory } = await echo(t);
  const proto = ['--insecure', '--proto', join(directory, 'echo.proto'), '--call', 'shop.Echo.Say'];
  const load = ['-n', '1000', '-c', '20', '--connections', '10', '-d', '{"text":"hello"}'];
  const { code, out } = await run(GHZ.path, [...proto, ...load, address]);
  t.equal(code, 0, out);
  t.match(out, /\[OK\]\s+1000 responses/);
});
