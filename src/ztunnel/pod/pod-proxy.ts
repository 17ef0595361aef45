import { ChannelError } from '#shared/engine/channel.ts';
import type { Listener, ListenTarget, TcpChannel } from '#shared/engine/engine.ts';
import { closeFd } from '#shared/native/socket.ts';
import { HboneListener } from '../inbound/hbone-listener.ts';
import { acceptPlaintext } from '../inbound/plaintext-listener.ts';
import { acceptOutbound } from '../outbound/listener.ts';
import { acceptSocks5 } from '../socks5/listener.ts';
import type { PodContext } from './pod-context.ts';

/** What one thread listens on for one local workload. */
export interface PodListeners {
  readonly outbound: readonly ListenTarget[];
  readonly inboundPlaintext: readonly ListenTarget[];
  readonly inboundHbone: readonly ListenTarget[];
  readonly socks5: readonly ListenTarget[];
}

/** One local workload's share of a thread: its listeners, its sessions to others and from others. */
export class PodProxy {
  readonly pod: PodContext;
  readonly #hbone: HboneListener;
  #netnsFd: number | undefined;
  #listeners: Listener[] = [];

  /** Takes over `netnsFd`. */
  constructor(pod: PodContext, netnsFd: number | undefined) {
    this.pod = pod;
    this.#netnsFd = netnsFd;
    this.#hbone = new HboneListener(pod);
  }

  /** Rejects when any of them cannot listen; none is left behind then. */
  async listen(targets: PodListeners): Promise<void> {
    const { pod } = this;
    const plain = { sharedReads: true };
    const tunnels = { sharedReads: false, congestion: pod.traffic.settings.tunnelCongestion };
    const accepts: [readonly ListenTarget[], (channel: TcpChannel) => void, Partial<ListenTarget>][] = [
      [targets.outbound, channel => acceptOutbound(pod, channel), plain],
      [targets.inboundPlaintext, channel => acceptPlaintext(pod, channel), plain],
      [targets.inboundHbone, channel => this.#hbone.accept(channel), tunnels],
      [targets.socks5, channel => acceptSocks5(pod, channel), plain],
    ];
    try {
      for (const [list, accept, options] of accepts) {
        for (const target of list)
          this.#listeners.push(await pod.traffic.engine.listen({ ...target, ...options }, accept));
      }
    } catch (error) {
      await this.stopAccepting();
      throw error;
    }
  }

  async stopAccepting(): Promise<void> {
    await Promise.all(this.#listeners.splice(0).map(listener => listener.close()));
  }

  /** Stops accepting and tells peers; what is open goes on. Resolves when the listeners are closed. */
  async drain(): Promise<void> {
    await this.stopAccepting();
    this.#hbone.drain();
    void this.pod.pool.drain();
  }

  /** Cuts everything at once. Idempotent. */
  async close(reason: ChannelError): Promise<void> {
    this.pod.traffic.connections.abortPod(this.pod.info.uid, reason);
    this.#hbone.close(reason);
    this.pod.pool.close(reason);
    await this.stopAccepting();
    if (this.#netnsFd !== undefined) closeFd(this.#netnsFd);
    this.#netnsFd = undefined;
  }
}
