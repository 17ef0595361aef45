import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import { LineSplitter } from './line-splitter.ts';
import { parseWatchEvent } from './watch-event.ts';

const RUN = fuzzRun(3);

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map(c => c % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.subarray(at[i - 1] ?? 0, end));
}

test('lines are the same however the bytes are cut', t => {
  const line = fc.string({ unit: 'binary', maxLength: 40 }).map(text => text.replaceAll('\n', ''));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 10 }), fc.array(fc.nat()), (lines, cuts) => {
      const splitter = new LineSplitter(1_000);
      const seen: string[] = [];
      const bytes = Buffer.from(lines.map(text => `${text}\n`).join(''));
      for (const chunk of cut(bytes, cuts)) splitter.push(chunk, text => void seen.push(text));
      return (
        JSON.stringify(seen) === JSON.stringify(lines.map(toWellFormed).filter(text => text !== '')) &&
        splitter.pendingBytes === 0
      );
    }),
    RUN,
  );
  t.end();
});

/** Half of a surrogate pair has no UTF-8. */
function toWellFormed(text: string): string {
  return text.toWellFormed();
}

test('never more than the bound is held', t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), chunks => {
      const splitter = new LineSplitter(20);
      try {
        for (const chunk of chunks) {
          splitter.push(Buffer.from(chunk), line => {
            if (Buffer.byteLength(line) > 20 * 3) throw new Error('a longer line came through');
          });
          if (splitter.pendingBytes > 20) return false;
        }
        return true;
      } catch (error) {
        return error instanceof Error && error.message === 'a line is longer than 20 bytes';
      }
    }),
    RUN,
  );
  t.end();
});

test('any line is an event or an error that says why', t => {
  const nearly = fc.json().map(json => `{"type":"ADDED","object":${json}}`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), nearly), line => {
      try {
        return parseWatchEvent(line).kind !== undefined;
      } catch (error) {
        return error instanceof Error && error.message !== '';
      }
    }),
    RUN,
  );
  t.end();
});
