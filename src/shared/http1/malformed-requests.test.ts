import { test } from 'tap';
import { recordServer } from '../testing/http1-recorder.ts';
import { MALFORMED_REQUESTS } from '../testing/malformed-requests.ts';
import { SMUGGLING_REQUESTS, UNAMBIGUOUS_REQUESTS } from '../testing/smuggling-requests.ts';

const WHOLE = (available: number): number => available;
const BYTE_BY_BYTE = (): number => 1;
const FOLLOW = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

for (const [sentence, bytes, status] of [...MALFORMED_REQUESTS, ...SMUGGLING_REQUESTS]) {
  test(`refused: ${sentence}`, t => {
    for (const fragment of [WHOLE, BYTE_BY_BYTE]) {
      const { refused, requests, output, closed } = recordServer(bytes + FOLLOW, { fragment });
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

for (const [sentence, bytes, body] of UNAMBIGUOUS_REQUESTS) {
  test(`read in one way: ${sentence}`, t => {
    for (const fragment of [WHOLE, BYTE_BY_BYTE]) {
      const { refused, requests } = recordServer(bytes + FOLLOW, { fragment });
      t.same(refused, []);
      t.match(requests[0], { body, ended: 'end' });
      t.match(requests[1], { path: '/smuggled', body: '' }, 'what is behind it is a request of its own');
      t.equal(requests.length, 2);
    }
    t.end();
  });
}
