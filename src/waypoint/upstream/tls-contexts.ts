import { readFileSync, statSync } from 'node:fs';
import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine, ForeignTlsMaterial, TlsContext } from '#shared/engine/engine.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { rootsBeside, type TlsCredential } from '#shared/route/tls-credential.ts';
import type { TrustedRoots } from '#shared/route/traffic-policy.ts';
import type { TlsTrust } from './originated-tls.ts';
import { digestOf } from './settings-digest.ts';

interface Made {
  readonly context: TlsContext;
  /** Of the files it was made of, as they were. */
  readonly stamp: string;
  checkedMs: number;
}

/** A mounted Secret changes within a minute of its object. */
const CHECK_FILES_EVERY_MS = 10_000;
const MAX_FILE_BYTES = 1024 * 1024;
/** Different ways to trust, in one mesh. */
const MAX_CONTEXTS = 1_000;

/** What TLS towards servers outside the mesh is spoken with, in one thread: made when first needed, again when it changes. */
export class TlsContexts {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #made = new Map<string, Made>();
  readonly #credentials = new Map<string, TlsCredential>();
  /** What is trusted may be a hundred authorities, and is asked for at each connection. */
  readonly #keys = new WeakMap<TlsTrust, string>();

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** `<namespace>/<name>` of a Secret, and what is in it; undefined: it is gone. */
  setCredential(name: string, credential: TlsCredential | undefined): void {
    if (credential === undefined) this.#credentials.delete(name);
    else this.#credentials.set(name, credential);
    this.#made.clear();
  }

  /** Throws `ChannelError` `tls_handshake` when the material is not there, or of no use. */
  get(trust: TlsTrust): TlsContext {
    const key = this.#keyOf(trust);
    const nowMs = this.#clock.monotonic();
    const known = this.#made.get(key);
    if (known !== undefined && nowMs - known.checkedMs < CHECK_FILES_EVERY_MS) return known.context;
    const stamp = stampOf(filesOf(trust));
    if (known?.stamp === stamp) {
      known.checkedMs = nowMs;
      return known.context;
    }
    const context = this.#engine.createForeignTlsContext(this.#materialOf(trust));
    if (this.#made.size >= MAX_CONTEXTS) this.#made.clear();
    this.#made.set(key, { context, stamp, checkedMs: nowMs });
    return context;
  }

  #keyOf(trust: TlsTrust): string {
    const known = this.#keys.get(trust);
    if (known !== undefined) return known;
    const key = digestOf(trust);
    this.#keys.set(trust, key);
    return key;
  }

  #materialOf(trust: TlsTrust): ForeignTlsMaterial {
    const { credential: name, revocationListFile, trustedRoots } = trust;
    const credential = name === undefined ? undefined : this.#credential(name);
    const authorities = this.#authorities(trustedRoots, credential);
    return {
      trustedRootsPem: authorities?.trustedRootsPem ?? rootsOf(trustedRoots),
      revocationListsPem: [
        ...[...new Set([credential, authorities])].map(secret => secret?.revocationListsPem ?? ''),
        revocationListFile === undefined ? '' : read(revocationListFile),
      ].join(''),
      client: clientOf(trust, credential),
    };
  }

  /** The Secret whose authorities are trusted; undefined: none has any. */
  #authorities(roots: TrustedRoots, credential: TlsCredential | undefined): TlsCredential | undefined {
    const own = roots.kind === 'credential' ? this.#credential(roots.name) : credential;
    if (own === undefined || own.trustedRootsPem !== '') return own;
    if (roots.kind === 'credential')
      throw new ChannelError('tls_handshake', `Secret ${roots.name} holds no authorities (ca.crt) to trust`);
    const beside = this.#credentials.get(rootsBeside(own.name));
    return beside === undefined || beside.trustedRootsPem === '' ? undefined : beside;
  }

  #credential(name: string): TlsCredential {
    const credential = this.#credentials.get(name);
    if (credential !== undefined) return credential;
    const why =
      'is there such a Secret, may the controller read Secrets, and, of another namespace, does a ReferenceGrant there name Gateways of ours?';
    throw new ChannelError('tls_handshake', `Secret ${name} has not come from the controller: ${why}`);
  }
}

/** As Istio: SIMPLE shows none, whatever the Secret holds. */
function clientOf(
  { clientCertificate, mutual }: TlsTrust,
  credential: TlsCredential | undefined,
): ForeignTlsMaterial['client'] {
  if (!mutual) return undefined;
  if (credential === undefined)
    return (
      clientCertificate && {
        certChainPem: read(clientCertificate.certificateFile),
        privateKeyPem: read(clientCertificate.privateKeyFile),
      }
    );
  const { certificateChainPem, name, privateKeyPem } = credential;
  if (privateKeyPem === '')
    throw new ChannelError('tls_handshake', `Secret ${name} holds no certificate (tls.crt, tls.key) to show`);
  return { certChainPem: certificateChainPem, privateKeyPem };
}

function rootsOf(roots: TrustedRoots): string | undefined {
  switch (roots.kind) {
    case 'system':
    case 'credential':
      return undefined;
    case 'pem':
      return roots.pem;
    case 'file':
      return read(roots.path);
    case 'unresolved':
      throw new ChannelError('tls_handshake', roots.reason);
  }
}

function filesOf({ clientCertificate, revocationListFile, trustedRoots }: TlsTrust): readonly string[] {
  return [
    ...(trustedRoots.kind === 'file' ? [trustedRoots.path] : []),
    ...(revocationListFile === undefined ? [] : [revocationListFile]),
    ...(clientCertificate === undefined
      ? []
      : [clientCertificate.certificateFile, clientCertificate.privateKeyFile]),
  ];
}

function stampOf(files: readonly string[]): string {
  return files.map(path => orRefuse(path, () => `${statSync(path).mtimeMs} ${statSync(path).size}`)).join();
}

/** Small files on a local disk, once a change: the thread waits for them. */
function read(path: string): string {
  return orRefuse(path, () => {
    const { size } = statSync(path);
    if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes are more than ${MAX_FILE_BYTES}`);
    return readFileSync(path, 'utf8');
  });
}

function orRefuse<T>(path: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    const why = errorMessage(cause);
    throw new ChannelError('tls_handshake', `the waypoint cannot read ${path}: ${why}`, { cause });
  }
}
