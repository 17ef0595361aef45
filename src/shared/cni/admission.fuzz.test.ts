import fc from 'fast-check';
import { test } from 'tap';
import { fuzzRun } from '../testing/fuzz-run.ts';
import {
  type AdmissionRequest,
  formatAdmissionAnswer,
  formatAdmissionRequest,
  parseAdmissionAnswer,
  parseAdmissionRequest,
} from './admission.ts';
import { LineSplitter } from './line-splitter.ts';

const RUN = fuzzRun(4);
const GOOD: AdmissionRequest = {
  command: 'add',
  uid: '0a1b-2',
  namespace: 'shop',
  name: 'orders-1',
  netns: '/run/netns/a',
  ips: ['10.0.0.1', 'fd00::1'],
};

test('what is said is understood', async t => {
  t.same(parseAdmissionRequest(formatAdmissionRequest(GOOD)), { ok: true, request: GOOD });
  for (const answer of [
    { ok: true, captured: false, reason: 'no label' },
    { ok: false, reason: 'full' },
  ] as const) {
    t.same(parseAdmissionAnswer(formatAdmissionAnswer(answer)), answer);
  }
});

test('what each wrong request gets', async t => {
  for (const [sentence, change, error] of [
    ['another version', { version: 2 }, /are not of the same release/],
    ['an unknown command', { command: 'gc' }, /command is not known/],
    ['a name that is a path', { name: '../x' }, /name is not a name/],
    ['a namespace that is empty', { namespace: '' }, /namespace is not a name/],
    ['no uid', { uid: undefined }, /uid is not a uid/],
    ['a relative path', { netns: 'run/netns' }, /netns is not an absolute path/],
    ['what is no address', { ips: ['10.0.0.1/24'] }, /ips is not a list of addresses/],
    ['more addresses than a pod has', { ips: Array(17).fill('10.0.0.1') }, /ips is not a list/],
  ] as const) {
    const parsed = parseAdmissionRequest(JSON.stringify({ version: 1, ...GOOD, ...change }));
    t.notOk(parsed.ok, sentence);
    t.match(parsed, { error }, sentence);
  }
});

test('any line is a request or an error', t => {
  const nearly = fc
    .record({
      version: fc.constant(1),
      command: fc.constant('add'),
      uid: fc.jsonValue(),
      ips: fc.jsonValue(),
    })
    .map(value => JSON.stringify({ ...GOOD, ...value }));
  fc.assert(
    fc.property(fc.oneof(nearly, fc.json(), fc.string()), line => {
      const parsed = parseAdmissionRequest(line);
      return parsed.ok ? parsed.request.name !== '' : parsed.error !== '';
    }),
    RUN,
  );
  t.end();
});

test('any line is an answer or an error', t => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), line => {
      try {
        return typeof parseAdmissionAnswer(line).reason === 'string';
      } catch (error) {
        return error instanceof Error && error.message !== '';
      }
    }),
    RUN,
  );
  t.end();
});

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map(c => c % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...at, bytes.length].map((end, i) => bytes.subarray(at[i - 1] ?? 0, end));
}

test('lines are the same however the bytes are cut', t => {
  const line = fc
    .string({ unit: 'binary', maxLength: 40 })
    .map(text => text.replaceAll('\n', '').toWellFormed());
  fc.assert(
    fc.property(fc.array(line, { maxLength: 10 }), fc.array(fc.nat()), (lines, cuts) => {
      const splitter = new LineSplitter(1_000);
      const seen: string[] = [];
      const bytes = Buffer.from(lines.map(text => `${text}\n`).join(''));
      for (const chunk of cut(bytes, cuts)) splitter.push(chunk, text => void seen.push(text));
      const expected = lines.filter(text => text !== '');
      return JSON.stringify(seen) === JSON.stringify(expected) && splitter.pendingBytes === 0;
    }),
    RUN,
  );
  t.end();
});

test('never more than the bound is held', t => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), chunks => {
      const splitter = new LineSplitter(20);
      try {
        for (const chunk of chunks) {
          splitter.push(Buffer.from(chunk), () => undefined);
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
