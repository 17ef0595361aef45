import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { isJsonObject, type JsonObject, parseJson } from '../../src/shared/config/json.ts';
import { objectsOf } from '../../scripts/monitoring/rules.ts';
import { eventually, expect } from '../../src/playground/scenario/check.ts';

export interface Target {
  /** `ip:port` */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Sample {
  readonly labels: JsonObject;
  readonly value: number;
}

const READY_MS = 20_000;
const STOP_MS = 5_000;

/** A Prometheus of its own, that asks the targets and evaluates the rules every second. */
export class Prometheus {
  readonly #url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.#url = url;
    this.#child = child;
  }

  /** @param directory of its own, for its configuration and data */
  static async start(
    program: string,
    directory: string,
    targets: readonly Target[],
    ruleFiles: readonly string[],
  ): Promise<Prometheus> {
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ruleFiles,
      scrape_configs: [
        {
          job_name: 'ambient-mesh',
          metrics_path: '/stats/prometheus',
          static_configs: targets.map(({ address, labels }) => ({ targets: [address], labels })),
        },
      ],
    };
    const file = join(directory, 'prometheus.yml');
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      program,
      [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const prometheus = new Prometheus(`http://${address}`, child);
    await eventually(READY_MS, async () => {
      expect(child.exitCode === null, `prometheus ended with status ${child.exitCode}`);
      const { ok } = await fetch(`http://${address}/-/ready`);
      expect(ok, 'prometheus is not ready');
    });
    return prometheus;
  }

  /** Rules that have been evaluated, by name, with what was wrong with it; '' for nothing. */
  async rules(): Promise<readonly { readonly name: string; readonly error: string }[]> {
    const answer = parseJson(await (await fetch(`${this.#url}/api/v1/rules`)).text());
    const data = isJsonObject(answer) ? answer['data'] : undefined;
    const groups = isJsonObject(data) ? data['groups'] : undefined;
    return objectsOf(groups)
      .flatMap(group => objectsOf(group['rules']))
      .filter(({ health }) => health !== 'unknown')
      .map(({ lastError, name }) => ({
        name: typeof name === 'string' ? name : '',
        error: typeof lastError === 'string' ? lastError : '',
      }));
  }

  /** The present samples. Rejects for an expression that is refused, with the reason. */
  async query(expr: string): Promise<readonly Sample[]> {
    const body = new URLSearchParams({ query: expr });
    const response = await fetch(`${this.#url}/api/v1/query`, { method: 'POST', body });
    const answer = parseJson(await response.text());
    const data = isJsonObject(answer) && answer['status'] === 'success' ? answer['data'] : undefined;
    if (!isJsonObject(data) || !Array.isArray(data['result']))
      throw new Error(`${expr}: ${JSON.stringify(answer)}`);
    return data['result'].filter(isJsonObject).map(({ metric, value }) => ({
      labels: isJsonObject(metric) ? metric : {},
      value: Array.isArray(value) ? Number(value[1]) : Number.NaN,
    }));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(timer);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
