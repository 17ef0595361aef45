import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine, TlsContext, TlsMaterial } from '#shared/engine/engine.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';

/** Our side cannot prove who it is: no other endpoint will do better. */
export class NoCertificateError extends ChannelError {
  constructor(message: string) {
    super('tls_handshake', message);
    this.name = 'NoCertificateError';
  }
}

/** The certificates of this thread's local identities, ready for handshakes. The main thread renews them. */
export class CertificateStore {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #contexts = new Map<string, TlsContext>();

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Throws `ChannelError` when the material does not parse; the last good certificate stays then. */
  set(identity: string, material: TlsMaterial): void {
    this.#contexts.set(identity, this.#engine.createTlsContext(material));
  }

  remove(identity: string): void {
    this.#contexts.delete(identity);
  }

  /** The current certificate; throws `NoCertificateError` when there is none that is valid now. */
  get(identity: string): TlsContext {
    const context = this.#contexts.get(identity);
    if (context === undefined) {
      throw new NoCertificateError(
        `no certificate for ${identity} yet: is the CA reachable, and may this node ask for that identity?`,
      );
    }
    // A suspended machine wakes up with timers that have not fired: the wall clock decides.
    const now = this.#clock.now();
    if (now >= context.notAfter) {
      const since = new Date(context.notAfter).toISOString();
      throw new ChannelError(
        'tls_handshake',
        `the certificate of ${identity} expired at ${since}: is the CA reachable?`,
      );
    }
    return context;
  }
}
