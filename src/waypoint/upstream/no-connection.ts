import { ExchangeError } from '#shared/http/exchange.ts';

/** What an attempt is told that has waited too long: it was not to be reached, or its connections are all busy. */
export function noConnection(queueTimeoutMs: number, connections: number): ExchangeError {
  const waited = `no connection within ${queueTimeoutMs} ms (QUEUE_TIMEOUT)`;
  return connections === 0
    ? new ExchangeError('connect_failure', waited)
    : new ExchangeError('overflow', `${waited}: all ${connections} are busy`);
}
