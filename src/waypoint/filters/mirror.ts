import { ExchangeError, type RequestHead } from '#shared/http/exchange.ts';
import type { HeaderList } from '#shared/http/headers.ts';
import type { Timed } from '#shared/lifecycle/coarse-timers.ts';
import type { Mirror } from '#shared/route/route-filter.ts';
import { Attempt, type AttemptOwner } from '../request/attempt.ts';
import type { Downstream } from '../request/environment.ts';
import { isGrpc } from '../request/failure-answer.ts';
import { askedHost } from '../hosts/asked-host.ts';
import type { ServiceState } from '../services/service-state.ts';
import { choosePoolProtocol } from '../upstream/choose-protocol.ts';

/** A copy that falls so far behind its original is given up. */
const MAX_HELD_BYTES = 256 * 1024;
/** A copy that is not answered by then is given up. */
const TIMEOUT_MS = 60_000;

/**
 * A copy of a request on its way to another service. It never holds the original up and nothing it meets is told to the
 * client: what cannot keep up is given up, what comes back is thrown away.
 */
export class MirroredRequest implements AttemptOwner, Timed {
  deadlineAt = Number.POSITIVE_INFINITY;
  timedIndex = -1;
  readonly #downstream: Downstream;
  #attempt: Attempt | undefined;
  /** What came while there was no connection, or the connection did not take more. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #trailers: HeaderList | undefined;
  #blocked = false;
  #ended = false;
  #over = false;
  /** Ends a wait for the endpoints of a host. */
  #leaveHost: (() => void) | undefined;

  /** @param head is copied: the original is changed further on its way */
  constructor(downstream: Downstream, mirror: Mirror, head: RequestHead, hasBody: boolean) {
    this.#downstream = downstream;
    this.#start(mirror, { ...head, headers: [...head.headers], expectContinue: false }, hasBody);
  }

  onBody(slice: Buffer): void {
    if (this.#over) return;
    const exchange = this.#attempt?.exchange;
    if (exchange !== undefined && !this.#blocked && this.#held.length === 0) {
      this.#blocked = !exchange.sendBody(slice);
      return;
    }
    this.#heldBytes += slice.length;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#end();
    else this.#held.push(Buffer.from(slice));
  }

  onBodyEnd(trailers: HeaderList): void {
    this.#trailers = trailers;
    this.#flush();
  }

  /** The original came to nothing before its end: so does the copy. */
  cancel(): void {
    if (this.#trailers === undefined) this.#end();
  }

  #start(mirror: Mirror, head: RequestHead, hasBody: boolean): void {
    const { env } = this.#downstream;
    const { service: name } = mirror;
    const service = name === undefined ? undefined : env.services.get(name);
    if (service === undefined) {
      this.#over = true;
      return;
    }
    env.timers.add(this);
    this.deadlineAt = env.timers.after(TIMEOUT_MS);
    if (!hasBody) this.#trailers = [];
    if (service.endpointsBy === 'list') return this.#send(service, undefined, mirror, head, hasBody);
    const asked = askedHost(service, this.#downstream, head.authority);
    if (!asked.ok) return this.#end();
    const { host } = asked;
    if (service.knowsHost(host)) return this.#send(service, host, mirror, head, hasBody);
    this.#leaveHost = env.hosts.wait(service.name, host, failure => {
      const found = failure === undefined ? env.services.get(service.name) : undefined;
      if (found === undefined) this.#end();
      else this.#send(found, host, mirror, head, hasBody);
    });
  }

  #send(
    service: ServiceState,
    host: string | undefined,
    { port, subset }: Mirror,
    head: RequestHead,
    hasBody: boolean,
  ): void {
    const { env, protocol } = this.#downstream;
    const target = service.upstreamAt(port, subset, host);
    const endpoint = target.picker.pick(env.random(), []);
    if (endpoint === undefined) return this.#end();
    const upstream = choosePoolProtocol(target, endpoint, protocol, head, isGrpc(head));
    const { connection, limits } = target;
    const attempt = new Attempt(this, head, !hasBody, endpoint);
    this.#attempt = attempt;
    attempt.start(env.pools.get(endpoint, upstream, connection, this.#downstream), limits);
  }

  #flush(): void {
    const exchange = this.#attempt?.exchange;
    if (exchange === undefined || this.#over) return;
    while (!this.#blocked) {
      const slice = this.#held.shift();
      if (slice === undefined) break;
      this.#heldBytes -= slice.length;
      this.#blocked = !exchange.sendBody(slice);
    }
    if (this.#held.length > 0 || this.#trailers === undefined || this.#ended) return;
    this.#ended = true;
    exchange.endBody(this.#trailers);
  }

  // --- from the attempt

  onAttemptReady(attempt: Attempt): void {
    if (!attempt.endStream) this.#flush();
  }

  onAttemptWritable(): void {
    this.#blocked = false;
    this.#flush();
  }

  onAttemptInterim(): void {}

  onAttemptResponse(): void {}

  onAttemptBody(): boolean {
    return true;
  }

  onAttemptEnd(): void {
    if (this.#ended || this.#attempt?.endStream === true) this.#attempt = undefined;
    this.#end();
  }

  onAttemptFailed(): void {
    this.#attempt = undefined;
    this.#end();
  }

  onDeadline(): void {
    this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = [];
    this.#leaveHost?.();
    this.#downstream.env.timers.remove(this);
    this.#attempt?.cancel(new ExchangeError('cancelled', 'the mirrored request is given up'));
  }
}
