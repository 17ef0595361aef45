import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Duplex } from 'node:stream';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { isExecutable } from '../../scripts/executable.ts';

/** The browser, from `PATH`; undefined where there is none. */
export function findChromium(): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter(directory => directory !== '');
  return directories.map(directory => join(directory, 'chromium')).find(isExecutable);
}

const ARGUMENTS = [
  '--headless=new',
  // Root, as whom tests run, has no sandbox; pages are the test's own.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-extensions',
  '--no-proxy-server',
  '--remote-debugging-pipe',
];
const ANSWER_MS = 15_000;
const CLOSE_MS = 3_000;

/** One open page. */
export interface Tab {
  /** Runs an expression in it, and waits for the promise that comes of it. */
  readonly run: (expression: string) => Promise<unknown>;
  /** Of the DevTools protocol. */
  readonly command: (method: string, params: JsonObject) => Promise<JsonObject>;
}

interface Waiting {
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: Error) => void;
}

/** A headless Chromium, driven by its DevTools protocol over a pipe: messages of JSON, each with a NUL behind it. */
export class Chromium {
  readonly #process: ChildProcess;
  readonly #pipe: Duplex;
  readonly #profile: string;
  /** By the number of the command, or the name of the event. */
  readonly #waiting = new Map<number | string, Waiting>();
  readonly #ended: Promise<void>;
  #held = '';
  #lastId = 0;

  constructor(program: string) {
    this.#profile = mkdtempSync(join(tmpdir(), 'ambient-chromium-'));
    const args = [...ARGUMENTS, `--user-data-dir=${this.#profile}`, 'about:blank'];
    this.#process = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    const [, , , commands, answers] = this.#process.stdio;
    if (!(commands instanceof Duplex) || !(answers instanceof Duplex)) throw new Error('no pipes');
    this.#pipe = commands;
    commands.on('error', () => undefined);
    answers.on('error', () => undefined);
    answers.setEncoding('utf8');
    answers.on('data', (text: string) => this.#onData(text));
    this.#ended = new Promise(resolve => {
      this.#process.once('error', () => resolve());
      this.#process.once('exit', () => resolve());
    });
    void this.#ended.then(() => this.#failAll(new Error('chromium has ended')));
  }

  /** Opens a page and waits until it is loaded. @returns what runs an expression in it, and waits for the promise that comes of it */
  async open(url: string): Promise<(expression: string) => Promise<unknown>> {
    const { run } = await this.openTab(url);
    return run;
  }

  async openTab(url: string): Promise<Tab> {
    const { targetId } = await this.#ask('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.#ask('Target.attachToTarget', { targetId, flatten: true });
    await this.#ask('Page.enable', {}, sessionId);
    const loaded = this.#hear('Page.loadEventFired');
    await this.#ask('Page.navigate', { url }, sessionId);
    await loaded;
    const command = (method: string, params: JsonObject): Promise<JsonObject> =>
      this.#ask(method, params, sessionId);
    const run = async (expression: string): Promise<unknown> => {
      const params = { expression, awaitPromise: true, returnByValue: true };
      const { exceptionDetails, result } = await command('Runtime.evaluate', params);
      if (exceptionDetails !== undefined) throw new Error(`in the page: ${JSON.stringify(exceptionDetails)}`);
      return isJsonObject(result) ? result['value'] : undefined;
    };
    return { run, command };
  }

  /** In order, so that none of its processes is left; by force where it takes too long. */
  async close(): Promise<void> {
    const late = setTimeout(() => this.#process.kill('SIGKILL'), CLOSE_MS);
    await this.#ask('Browser.close', {}).catch(() => undefined);
    await this.#ended;
    clearTimeout(late);
    // Its children may write for a moment longer.
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  #ask(method: string, params: JsonObject, sessionId?: unknown): Promise<JsonObject> {
    const id = ++this.#lastId;
    const answer = this.#hear(id, method);
    this.#pipe.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return answer;
  }

  async #hear(key: number | string, name = String(key)): Promise<JsonObject> {
    const { promise, reject, resolve } = Promise.withResolvers<JsonObject>();
    this.#waiting.set(key, { resolve, reject });
    const late = setTimeout(() => reject(new Error(`${name}: nothing within ${ANSWER_MS} ms`)), ANSWER_MS);
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(key);
    }
  }

  #onData(text: string): void {
    const messages = (this.#held + text).split('\0');
    this.#held = messages.pop() ?? '';
    for (const message of messages) this.#onMessage(JSON.parse(message));
  }

  #onMessage(message: unknown): void {
    if (!isJsonObject(message)) return;
    const { error, id, method, result } = message;
    const waiting = this.#waiting.get(typeof id === 'number' ? id : String(method));
    if (error !== undefined) waiting?.reject(new Error(JSON.stringify(error)));
    else waiting?.resolve(isJsonObject(result) ? result : {});
  }

  #failAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
