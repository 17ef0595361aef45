import type { DetailFrame, Figures } from '#shared/dashboard/frames.ts';
import { sparkline } from '../chart/sparkline.ts';
import { bytesPerSecond, count, duration, milliseconds, percent, rate } from '../format/figures.ts';
import { el, type ElementSpec } from './element.ts';

interface Signal {
  readonly title: string;
  readonly tone: 'plain' | 'good' | 'bad';
  readonly of: (figures: Figures) => number | null;
  readonly text: (value: number | null) => string;
  readonly atLeast?: number;
  readonly below?: (figures: Figures) => string;
}

const SIGNALS: readonly Signal[] = [
  { title: 'Requests', tone: 'plain', of: f => f.rps, text: rate },
  { title: 'Success', tone: 'good', of: f => f.success, text: percent, atLeast: 1 },
  {
    title: 'Latency p99',
    tone: 'plain',
    of: f => f.p99Ms,
    text: milliseconds,
    below: f => `p50 ${milliseconds(f.p50Ms)} · p95 ${milliseconds(f.p95Ms)}`,
  },
  {
    title: 'Bytes',
    tone: 'plain',
    of: f => f.requestBytesPerSecond + f.responseBytesPerSecond,
    text: v => bytesPerSecond(v ?? 0),
    below: f =>
      `in ${bytesPerSecond(f.requestBytesPerSecond)} · out ${bytesPerSecond(f.responseBytesPerSecond)}`,
  },
  {
    title: 'Open connections',
    tone: 'plain',
    of: f => f.openConnections,
    text: v => count(v ?? 0),
    below: f => `${rate(f.connectionsPerSecond)} new`,
  },
  {
    title: 'Refused by policy',
    tone: 'bad',
    of: f => f.deniedPerSecond,
    text: rate,
    below: f => `${rate(f.failedPerSecond)} failed otherwise`,
  },
];

const WIDTH = 220;
const HEIGHT = 44;

/** What came to it: now, and over the last minutes. */
export function signalsView({ figures, history }: DetailFrame): ElementSpec {
  const [first, last] = [history[0], history.at(-1)];
  const span = first === undefined || last === undefined ? 0 : last.atMs - first.atMs;
  return el(
    'section',
    { key: 'signals', class: 'signals', 'aria-label': 'Golden signals' },
    ...SIGNALS.map(signal =>
      cardView(
        signal,
        figures,
        history.map(p => signal.of(p.figures)),
      ),
    ),
    el(
      'p',
      { key: 'span', class: 'quiet span' },
      span === 0 ? 'The first minutes are being measured.' : `What came in, over the last ${duration(span)}.`,
    ),
  );
}

function cardView(signal: Signal, figures: Figures, values: readonly (number | null)[]): ElementSpec {
  const size = { width: WIDTH, height: HEIGHT, atLeast: signal.atLeast ?? 0 };
  const { area, line, max } = sparkline(values, size);
  const now = signal.text(signal.of(figures));
  const known = values.filter(v => v !== null);
  const said =
    known.length === 0
      ? `${signal.title}: not measured`
      : `${signal.title}: now ${now}, at most ${signal.text(Math.max(...known))}`;
  return el(
    'div',
    { key: signal.title, class: `signal ${signal.tone}` },
    el('h3', {}, signal.title),
    el('p', { class: 'now' }, now),
    el('p', { class: 'below' }, signal.below?.(figures) ?? ''),
    el(
      'svg',
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: 'none',
        role: 'img',
        'aria-label': said,
      },
      el('path', { class: 'area', d: area }),
      el('path', { class: 'line', d: line }),
    ),
    el('span', { class: 'max', 'aria-hidden': 'true' }, known.length === 0 ? '' : signal.text(max)),
  );
}
