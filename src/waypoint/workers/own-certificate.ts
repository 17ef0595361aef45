import { ChannelError } from '#shared/engine/channel.ts';
import type { Engine, TlsContext, TlsMaterial } from '#shared/engine/engine.ts';
import type { Clock } from '#shared/lifecycle/clock.ts';

/** The waypoint's one certificate in this thread, ready for handshakes. The main thread renews it. */
export class OwnCertificate {
  readonly #engine: Engine;
  readonly #clock: Clock;
  #context: TlsContext | undefined;
  #material: TlsMaterial | undefined;
  #direct: TlsContext | undefined;

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  /** Throws `ChannelError` when the material does not parse; the last good certificate stays then. */
  set(material: TlsMaterial): void {
    this.#context = this.#engine.createTlsContext(material);
    this.#material = material;
    this.#direct = undefined;
  }

  /** The same certificate for workloads that take no tunnel, whoever's TLS they speak. Throws as `current`. */
  direct(): TlsContext {
    this.current();
    const material = this.#material;
    if (this.#direct !== undefined || material === undefined) return this.#direct ?? this.current();
    const trust = { trustedRootsPem: material.trustBundlePem, revocationListsPem: '', client: material };
    return (this.#direct = this.#engine.createForeignTlsContext(trust));
  }

  /** Throws `ChannelError` `tls_handshake` when there is none that is valid now: a suspended machine's timers are late. */
  current(): TlsContext {
    const context = this.#context;
    if (context === undefined) {
      throw new ChannelError('tls_handshake', 'the waypoint has no certificate yet: is the CA reachable?');
    }
    if (this.#clock.now() >= context.notAfter) {
      const since = new Date(context.notAfter).toISOString();
      throw new ChannelError(
        'tls_handshake',
        `the waypoint's certificate expired at ${since}: is the CA reachable?`,
      );
    }
    return context;
  }
}
