import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { MALFORMED_REQUESTS } from '#shared/testing/malformed-requests.ts';
import { SMUGGLING_REQUESTS, UNAMBIGUOUS_REQUESTS } from '#shared/testing/smuggling-requests.ts';
import { generatedPart, renderTable } from './markdown.ts';

/** The tables of docs/bad-input/http.md that are made of tables of tests. `UPDATE_DOCS=1` rewrites them. */
const FILE = 'docs/bad-input/http.md';

test('every malformed HTTP/1.1 request is listed with the status it gets', t => {
  const rows = MALFORMED_REQUESTS.map(([sentence, , status]) => [sentence, String(status)]);
  const expected = renderTable(['Wrong, and sentence of the test', 'Status'], rows);
  t.equal(generatedPart(FILE, 'http1', expected), expected);
  t.ok(rows.length > 50);
  t.end();
});

test('every request that was made to be read in two ways is listed with what it gets', t => {
  const refused = SMUGGLING_REQUESTS.map(([sentence, , status]) => [sentence, String(status)]);
  const read = UNAMBIGUOUS_REQUESTS.map(([sentence]) => [sentence, 'passed on, read in one way']);
  const expected = renderTable(['Sent, and sentence of the test', 'What it gets'], [...refused, ...read]);
  t.equal(generatedPart(FILE, 'smuggling', expected), expected);
  t.ok(refused.length > 90);
  t.end();
});

/** Rules of the table VIOLATIONS, which only its own file has. */
function violations(): string[][] {
  const source = readFileSync('src/shared/http2/connection.test.ts', 'utf8');
  const table = source.slice(source.indexOf('const VIOLATIONS'), source.indexOf('for (const violation of'));
  return table
    .split(/\brule: '/)
    .slice(1)
    .map(row => {
      const rule = /^((?:[^'\\]|\\.)*)'/.exec(row)?.[1]?.replaceAll('\\', '') ?? '';
      const [, frame, code = ''] = /\b(goaway|rst): ErrorCode\.(\w+)/.exec(row) ?? [];
      const gets = frame === 'goaway' ? `GOAWAY ${code}` : frame === 'rst' ? `RST_STREAM ${code}` : 'ignored';
      return [rule, gets];
    });
}

test('every violation of HTTP/2 is listed with the error it gets', t => {
  const rows = violations();
  const expected = renderTable(['Wrong, and sentence of the test', 'What it gets'], rows);
  t.equal(generatedPart(FILE, 'http2', expected), expected);
  t.ok(rows.length > 30);
  t.end();
});
