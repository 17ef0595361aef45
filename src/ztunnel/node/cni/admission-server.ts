import { chmodSync, renameSync, rmSync, statSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import {
  type AdmissionAnswer,
  type AdmissionRequest,
  formatAdmissionAnswer,
  MAX_ADMISSION_BYTES,
  parseAdmissionRequest,
} from '#shared/cni/admission.ts';
import { LineSplitter } from '#shared/cni/line-splitter.ts';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';

export interface AdmissionServerOptions {
  readonly path: string;
  /** Never rejects. */
  readonly answer: (request: AdmissionRequest) => Promise<AdmissionAnswer>;
  /** Another ztunnel that had taken over is gone: this one is in charge again. */
  readonly onCharge: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A plugin says what it wants at once. */
const REQUEST_MS = 5_000;
const CHARGE_INTERVAL_MS = 2_000;
const PROBE_MS = 1_000;
/** More pods than a node starts at a time. */
const MAX_CONNECTIONS = 512;

/**
 * Where the CNI plugin finds the ztunnel of its node. Of two ztunnels, during an upgrade, the plugin finds the one that
 * started last; the other one notices that it is no longer found, and leaves the pods' rules to its successor. When that
 * one goes without the other having been stopped, the older takes the path back.
 */
export class AdmissionServer {
  readonly #options: AdmissionServerOptions;
  readonly #logger: Logger;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #inode: bigint | undefined;
  #timer: Timer | undefined;
  #stopped = false;
  #wasInCharge = true;
  #failure: string | undefined;

  constructor(options: AdmissionServerOptions) {
    this.#options = options;
    this.#logger = options.logger.child('cni');
  }

  /** Before `start`: whether an older ztunnel answers the plugin. */
  isServedByOlder(): Promise<boolean> {
    return isServed(this.#options);
  }

  /** Takes over from whoever serves now; where that cannot be, it is tried again. Never rejects. */
  async start(): Promise<void> {
    try {
      await this.#takeOver();
    } catch (error) {
      this.#failed(whyNot(this.#options.path, error));
    }
    this.#scheduleCheck();
  }

  /** Whether the plugin finds this process: then the rules of the node's pods are its own affair. */
  isInCharge(): boolean {
    const inode = inodeAt(this.#options.path);
    return inode === undefined || inode === this.#inode;
  }

  /** Why nobody answers the plugin here, so that pods of the mesh wait; undefined: somebody does. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** The path stays, so that the plugin is refused at once, unless nobody shall be looked for any more. */
  async stop(remove: boolean): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    if (remove && this.isInCharge()) rmSync(this.#options.path, { force: true });
    for (const socket of this.#sockets) socket.destroy();
    await closed(this.#server);
  }

  /** Looks who is found, and takes the path when it is nobody; the timer does it every two seconds. Never rejects. */
  async check(): Promise<void> {
    const { path } = this.#options;
    const found = inodeAt(path);
    const inCharge = found !== undefined && found === this.#inode;
    if (found !== undefined) {
      if (this.#wasInCharge && !inCharge) this.#logger.info('another ztunnel of this node has taken over');
      this.#wasInCharge = inCharge;
    }
    if (this.#stopped) return;
    if (inCharge || (await isServed(this.#options))) this.#failure = undefined;
    else await this.#takeBack();
  }

  async #takeBack(): Promise<void> {
    const { path } = this.#options;
    await closed(this.#server);
    try {
      await this.#takeOver();
    } catch (error) {
      this.#failed(whyNot(path, error));
      return;
    }
    const happened = this.#wasInCharge
      ? 'the socket of the CNI plugin was removed: made anew'
      : 'the ztunnel that had taken over is gone: in charge again';
    this.#logger.warn(happened, { path });
    this.#failure = undefined;
    this.#wasInCharge = true;
    this.#options.onCharge();
  }

  #failed(reason: string): void {
    if (this.#failure !== reason)
      this.#logger.error('the CNI plugin finds no ztunnel: pods of the mesh do not start', { error: reason });
    this.#failure = reason;
  }

  async #takeOver(): Promise<void> {
    const { path } = this.#options;
    const staged = `${path}.${process.pid}`;
    rmSync(staged, { force: true });
    const server = createServer({ allowHalfOpen: true }, socket => this.#serve(socket));
    server.maxConnections = MAX_CONNECTIONS;
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(staged, resolve));
    server.on('error', error =>
      this.#logger.error('the socket of the CNI plugin failed', { error: error.message }),
    );
    chmodSync(staged, 0o600);
    this.#inode = inodeAt(staged);
    this.#server = server;
    renameSync(staged, path);
  }

  #scheduleCheck(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimer(CHARGE_INTERVAL_MS, () => {
      void this.check().finally(() => this.#scheduleCheck());
    });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const lines = new LineSplitter(MAX_ADMISSION_BYTES);
    const timer = this.#options.clock.setTimer(REQUEST_MS, () => socket.destroy());
    let isAsked = false;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      timer.cancel();
      this.#sockets.delete(socket);
    });
    socket.on('data', (chunk: Buffer) => {
      if (isAsked) return;
      try {
        lines.push(chunk, line => {
          if (isAsked) return;
          isAsked = true;
          timer.cancel();
          void this.#answer(line).then(answer => socket.end(formatAdmissionAnswer(answer)));
        });
      } catch (error) {
        socket.end(
          formatAdmissionAnswer({ ok: false, reason: error instanceof Error ? error.message : 'too long' }),
        );
        isAsked = true;
      }
    });
  }

  async #answer(line: string): Promise<AdmissionAnswer> {
    const parsed = parseAdmissionRequest(line);
    return parsed.ok ? this.#options.answer(parsed.request) : { ok: false, reason: parsed.error };
  }
}

/** Undefined as well where the directory may not be looked into: that says nothing of who is in charge. */
function inodeAt(path: string): bigint | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

/** A mounted directory that was removed on the node is there for good, with no name and no room for a file. */
function whyNot(path: string, error: unknown): string {
  const directory = statSync(dirname(path), { throwIfNoEntry: false });
  const isRemoved = directory === undefined || directory.nlink === 0;
  return isRemoved
    ? `the directory of ${path} was removed on the node; a ztunnel that is started anew makes it`
    : `${path} cannot be made: ${errorMessage(error)}`;
}

/** Whether somebody accepts there. */
function isServed({ path, clock }: AdmissionServerOptions): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(path);
    const settle = (served: boolean): void => {
      timer.cancel();
      socket.destroy();
      resolve(served);
    };
    const timer = clock.setTimer(PROBE_MS, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

function closed(server: Server | undefined): Promise<void> {
  return new Promise(resolve => (server === undefined ? resolve() : server.close(() => resolve())));
}
