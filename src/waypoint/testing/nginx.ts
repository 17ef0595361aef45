import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Why a test with nginx cannot run here. */
export const withoutNginx = spawnSync('nginx', ['-v']).status === 0 ? false : 'needs nginx';

export interface NginxOptions {
  /** Listening sockets, as in its directive, such as `127.0.0.1:80 ssl`. */
  readonly listen: readonly string[];
  /** Other directives of the server; `$dir` is a directory of its own. */
  readonly directives: string;
  /** Files of that directory. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A server of nginx, which accepts connections when the promise resolves. @returns ends it */
export async function startNginx({
  directives,
  files = {},
  listen,
}: NginxOptions): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'nginx-'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    of => `${of}_temp_path ${dir}/${of};`,
  );
  const server = [...listen.map(on => `listen ${on};`), directives].join('\n').replaceAll('$dir', dir);
  const config = `daemon off; worker_processes 1; pid ${dir}/nginx.pid; error_log stderr notice;
    events {} http { access_log off; ${temporary.join(' ')} server { ${server} } }`;
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  writeFileSync(join(dir, 'nginx.conf'), config);
  const child = spawn('nginx', ['-c', join(dir, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  const said: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    said.push(line);
    if (line.includes('start worker processes')) break;
  }
  if (child.exitCode !== null) throw new Error(`nginx does not start: ${said.join('\n')}`);
  child.stderr.resume();
  return async () => {
    child.kill('SIGTERM');
    await exited;
    rmSync(dir, { recursive: true });
  };
}
