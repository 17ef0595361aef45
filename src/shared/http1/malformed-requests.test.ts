import { test } from 'tap';
import { recordServer } from '../testing/http1-recorder.ts';
import { MALFORMED_REQUESTS } from '../testing/malformed-requests.ts';

const WHOLE = (available: number): number => available;
const BYTE_BY_BYTE = (): number => 1;

for (const [sentence, bytes, status] of MALFORMED_REQUESTS) {
  test(`refused: ${sentence}`, t => {
    const follow = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    for (const fragment of [WHOLE, BYTE_BY_BYTE]) {
      const { refused, requests, output, closed } = recordServer(bytes + follow, { fragment });
      t.match(refused[0], new RegExp(`^${status} `), 'status');
      t.match(output, new RegExp(`^HTTP/1.1 ${status} `), 'answer');
      t.notOk(
        requests.some(request => request.path === '/smuggled'),
        'nothing behind it is served',
      );
      t.notOk(
        requests.some(request => request.ended === 'end'),
        'it is not served itself',
      );
      t.ok(closed, 'closed');
    }
    t.end();
  });
}
