import { request } from 'node:http';
import { isIP } from 'node:net';
import { parseJson } from '#shared/config/json.ts';
import { CliError } from './cli-error.ts';

/** A proxy's or controller's admin server: a unix socket, or an address. */
export type AdminTarget = { readonly socketPath: string } | { readonly host: string; readonly port: number };

const TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 256 * 1024 * 1024;

export function describeTarget(target: AdminTarget): string {
  return 'socketPath' in target ? target.socketPath : `${target.host}:${target.port}`;
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

export async function fetchJson(target: AdminTarget, path: string): Promise<unknown> {
  const body = await fetchText(target, path);
  try {
    return parseJson(body);
  } catch {
    throw new CliError(
      `${describeTarget(target)}${path} did not answer with JSON; is it an ambient-mesh admin address?`,
    );
  }
}

export function fetchText(
  target: AdminTarget,
  path: string,
  method: 'GET' | 'POST' = 'GET',
): Promise<string> {
  return new Promise((resolve, reject) => {
    const unreachable = (why: string): void =>
      reject(
        new CliError(
          `cannot reach ${describeTarget(target)}: ${why}; is the proxy running? try: ambientctl playground status`,
        ),
      );
    const call = request({ ...target, path, method, agent: false, timeout: TIMEOUT_MS }, response => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) call.destroy(new Error('answer larger than 256 MiB'));
        else chunks.push(chunk);
      });
      response.on('error', error => unreachable(error.message));
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) resolve(body);
        else
          reject(
            new CliError(
              `${describeTarget(target)}${path} answered ${response.statusCode ?? 0}: ${body.trim().slice(0, 300)}`,
            ),
          );
      });
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    call.on('error', error => unreachable(error.message));
    call.end();
  });
}
