import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { test } from 'tap';
import { parseGrpcTimeout } from './request/grpc-timeout.ts';
import { deploy } from './testing/deploy.ts';
import { WaypointLab } from './testing/waypoint-lab.ts';

test('a gRPC deadline holds over all tries, each is told what is left, and the client gets DEADLINE_EXCEEDED', async t => {
  const lab = await WaypointLab.create();
  t.teardown(() => lab.close());
  const told: string[] = [];
  const app = createServer();
  app.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    told.push(String(headers['grpc-timeout']));
    // UNAVAILABLE the first time, which is tried again; then silence.
    if (told.length === 1)
      stream.respond(
        { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' },
        { endStream: true },
      );
  });
  const { port } = await deploy(lab, [app, app].slice(0, 1), () => ({}), 'grpc');
  const session = connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/pay.Payments/Charge',
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '400m',
  });
  const headers = await new Promise<IncomingHttpHeaders>((resolve, reject) => {
    stream.on('response', resolve);
    stream.on('error', reject);
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  });
  stream.resume();
  t.equal(headers['grpc-status'], '4');
  t.equal(told.length, 2);
  const [first = 0, second = 0] = told.map(text => parseGrpcTimeout(text));
  t.ok(first <= 400 && second <= first, told.join(', '));
  const [line = ''] = await lab.access(1);
  t.match(line, /attempts=2.*grpc_status="?4"?.*response_flags="UT/);
});
