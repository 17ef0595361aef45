/**
 * Connections that come and go in every way, inside a pod: `node churn.ts SECONDS WORKERS TARGET…`, a target
 * `l4=host:port`, or `l7=host:port` behind a waypoint. Prints one
 * line of JSON: how many of each kind, and the first that did not go as it must.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '#shared/observability/error-message.ts';
import { CONDUCTS, type ChurnReport, type Conduct } from './report.ts';

const MAX_PAUSE_MS = 60;
const ANSWER_TIMEOUT_MS = 15_000;
const MAX_REQUESTS = 4;
const MAX_FAULTS = 10;
/** Of an answer that is no 200: its head, and the reason in its body. */
const SHOWN_CHARACTERS = 400;
const HEAD_END = '\r\n\r\n';

interface Target {
  readonly address: string;
  /** HTTP is read on the way. */
  readonly isProxied: boolean;
}

const [seconds = '', workers = '', ...targetTexts] = process.argv.slice(2);
const targets = targetTexts.map((text): Target => {
  const [layer = '', address = ''] = text.split('=');
  return { address, isProxied: layer === 'l7' };
});
const endAt = performance.now() + Number(seconds) * 1000;
const counts = new Map<string, number>();
const faults: string[] = [];

function request(host: string, isLast: boolean): string {
  return `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n${isLast ? 'Connection: close\r\n' : ''}${HEAD_END.slice(2)}`;
}

/** Resolves with what has come when the answer is whole, or the connection has ended. */
function answer(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const done = (how: () => void): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('error', onError);
      how();
    };
    const onData = (data: Buffer): void => {
      text += data.toString('latin1');
      if (isWhole(text)) done(() => resolve(text));
    };
    const onEnd = (): void => done(() => resolve(text));
    const onError = (error: Error): void => done(() => reject(error));
    const timer = setTimeout(() => done(() => reject(new Error('no answer in time'))), ANSWER_TIMEOUT_MS);
    socket.on('data', onData).on('end', onEnd).on('error', onError);
  });
}

/** A body with a length, or chunks. */
function isWhole(text: string): boolean {
  const end = text.indexOf(HEAD_END);
  if (end < 0) return false;
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1];
  return length === undefined
    ? text.endsWith('0\r\n\r\n')
    : text.length - end - HEAD_END.length >= Number(length);
}

async function opened({ address }: Target): Promise<Socket> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.removeAllListeners('error');
  socket.on('error', () => undefined);
  return socket;
}

async function askOnce(socket: Socket, { address }: Target, isLast = false): Promise<void> {
  const answered = answer(socket);
  socket.write(request(address, isLast));
  const text = await answered;
  if (!text.startsWith('HTTP/1.1 200'))
    throw new Error(`answered ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}`);
}

async function play(socket: Socket, target: Target, conduct: Conduct): Promise<void> {
  switch (conduct) {
    case 'orderly':
      for (let i = Math.floor(Math.random() * MAX_REQUESTS); i > 0; i--) await askOnce(socket, target);
      return askOnce(socket, target, true);
    case 'half_close': {
      const answered = answer(socket);
      socket.end(request(target.address, true));
      // To a proxy of HTTP, as to Envoy, the client is no longer interested then: it may answer or not.
      if (target.isProxied) return void (await answered.catch(() => ''));
      const text = await answered;
      if (!text.startsWith('HTTP/1.1 200'))
        throw new Error(`answered ${JSON.stringify(text.slice(0, SHOWN_CHARACTERS))}`);
      return;
    }
    case 'reset':
      await askOnce(socket, target);
      socket.write(request(target.address, false).slice(0, 20));
      socket.resetAndDestroy();
      return;
    case 'reset_early':
      socket.write(request(target.address, false));
      socket.resetAndDestroy();
      return;
    case 'silent':
      await sleep(Math.random() * MAX_PAUSE_MS);
  }
}

async function once(): Promise<void> {
  const target = pick(targets);
  const conduct = pick(CONDUCTS);
  let socket: Socket | undefined;
  try {
    socket = await opened(target);
    await play(socket, target, conduct);
    counts.set(conduct, (counts.get(conduct) ?? 0) + 1);
  } catch (error) {
    if (faults.length < MAX_FAULTS) faults.push(`${conduct} ${target.address}: ${errorMessage(error)}`);
  } finally {
    socket?.destroy();
  }
}

function pick<T>(list: readonly T[]): T {
  const found = list[Math.floor(Math.random() * list.length)];
  if (found === undefined) throw new Error('nothing to choose from');
  return found;
}

async function worker(): Promise<void> {
  while (performance.now() < endAt && faults.length < MAX_FAULTS) {
    await once();
    await sleep(Math.random() * MAX_PAUSE_MS);
  }
}

await Promise.all(Array.from({ length: Number(workers) }, worker));
const report: ChurnReport = { counts: Object.fromEntries(counts), faults };
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(0);
