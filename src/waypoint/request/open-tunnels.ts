/** A request that has become a tunnel, or is about to: an upgrade, or a CONNECT. */
export interface OpenTunnel {
  /** `<namespace>/<hostname>` of the service that was asked for it. */
  readonly askedService: string;
  /** Ends it when policies no longer allow what it was asked for by. @returns whether they do not */
  recheck(): boolean;
}

/** Tunnels of one thread, which live as long as their ends want: what a change of policy means for them has to be asked. */
export class OpenTunnels {
  readonly #open = new Set<OpenTunnel>();

  add(tunnel: OpenTunnel): void {
    this.#open.add(tunnel);
  }

  /** Idempotent. */
  delete(tunnel: OpenTunnel): void {
    this.#open.delete(tunnel);
  }

  /** Services have changed, and with them perhaps their policies: what is no longer allowed is cut. @returns how many */
  recheck(changed: ReadonlySet<string>): number {
    let cut = 0;
    for (const tunnel of this.#open) if (changed.has(tunnel.askedService) && tunnel.recheck()) cut++;
    return cut;
  }
}
