import { type IncomingMessage, request, type RequestOptions } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { parseJson } from '#shared/config/json.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { CliError } from './cli-error.ts';
import { eachLine } from './lines.ts';

/** A proxy's or controller's admin server: a unix socket, an address, or a port of a pod. */
export type AdminTarget =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number }
  | PodTarget;

export interface PodTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
  /** A connection to the port, through the API server. Rejects within a deadline; one connection a request. */
  readonly connect: () => Promise<Duplex>;
}

const TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 256 * 1024 * 1024;

function describeTarget(target: AdminTarget): string {
  if ('socketPath' in target) return target.socketPath;
  return 'pod' in target
    ? `${target.namespace}/${target.pod}:${target.port}`
    : `${target.host}:${target.port}`;
}

function hint(target: AdminTarget): string {
  return 'pod' in target
    ? `is its container ready? try: kubectl -n ${target.namespace} get pod ${target.pod}`
    : 'is the proxy running? try: ambientctl playground status';
}

/** `10.0.0.1:15000`, `[::1]:15000` or the path of a unix socket. */
export function parseAdminAddress(text: string): AdminTarget {
  if (text.startsWith('/')) return { socketPath: text };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if ((isIP(host) === 0 && host !== 'localhost') || port < 1 || port > 65_535) {
    throw new CliError(
      `--admin-address ${JSON.stringify(text)} is not accepted; use IP:PORT or the path of a unix socket`,
      2,
    );
  }
  return { host, port };
}

/** @param timeoutMs how long nothing may come */
export async function fetchJson(target: AdminTarget, path: string, timeoutMs = TIMEOUT_MS): Promise<unknown> {
  const body = await fetchText(target, path, 'GET', timeoutMs);
  try {
    return parseJson(body);
  } catch {
    throw new CliError(
      `${describeTarget(target)}${path} did not answer with JSON; is it an ambient-mesh admin address?`,
    );
  }
}

/** @param timeoutMs how long nothing may come */
export async function fetchText(
  target: AdminTarget,
  path: string,
  method: 'GET' | 'POST' = 'GET',
  timeoutMs = TIMEOUT_MS,
): Promise<string> {
  try {
    const { status, body } = await exchange(target, path, method, timeoutMs);
    if (status === 200) return body;
    throw refusal(`${describeTarget(target)}${path}`, status, body);
  } catch (error) {
    throw error instanceof CliError ? error : unreachable(target, error);
  }
}

/** What was asked wrongly is told in the server's words, which are made for it; where it stands is of no use to who asked. */
function refusal(where: string, status: number, body: string): CliError {
  const said = body.trim().slice(0, MAX_SHOWN_CHARS);
  return new CliError(status === 400 ? said : `${where} answered ${status}: ${said}`);
}

function unreachable(target: AdminTarget, error: unknown): CliError {
  const why = errorMessage(error);
  return new CliError(`cannot reach ${describeTarget(target)}: ${why}; ${hint(target)}`);
}

const MAX_SHOWN_CHARS = 300;

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function exchange(
  target: AdminTarget,
  path: string,
  method: string,
  timeoutMs: number,
): Promise<Answer> {
  const where = await whereTo(target);
  return new Promise((resolve, reject) => {
    const call = request({ ...where, path, method }, response => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        silence.refresh();
        size += chunk.length;
        if (size > MAX_BODY_BYTES) call.destroy(new Error('answer larger than 256 MiB'));
        else chunks.push(chunk);
      });
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    // Not the request's own timeout: a connection through the API server is no socket and has none.
    const silence = setTimeout(
      () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    call.on('error', reject);
    call.on('close', () => clearTimeout(silence));
    call.end();
  });
}

/**
 * Lines of an answer that goes on, as they come, until the server ends it or `signal` is aborted. The answer's head has a
 * deadline, silence between lines has none.
 */
export async function streamLines(
  target: AdminTarget,
  path: string,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const response = await openStream(target, path, signal);
    if (response.statusCode === 200) {
      await eachLine(response, onLine, signal);
      return;
    }
    const lines: string[] = [];
    await eachLine(response, line => void lines.push(line), signal);
    throw refusal(describeTarget(target), response.statusCode ?? 0, lines.join('; '));
  } catch (error) {
    if (signal.aborted) return;
    throw error instanceof CliError ? error : unreachable(target, error);
  }
}

async function openStream(target: AdminTarget, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const where = await whereTo(target);
  return new Promise((resolve, reject) => {
    const call = request({ ...where, path, signal }, resolve);
    const silence = setTimeout(
      () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)),
      TIMEOUT_MS,
    );
    call.on('response', () => clearTimeout(silence));
    call.on('close', () => clearTimeout(silence));
    call.on('error', reject);
    call.end();
  });
}

async function whereTo(target: AdminTarget): Promise<RequestOptions> {
  if (!('pod' in target)) return { ...target, agent: false };
  const connection = await target.connect();
  // Without any agent: one would make connections of its own.
  return { host: 'localhost', port: target.port, createConnection: () => connection };
}
