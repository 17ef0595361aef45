import type { MetricSet } from '../observability/metric-set.ts';
import type { HandshakesBySide } from './handshake-limiter.ts';

const SIDES = ['client', 'server'] as const;

/**
 * TLS handshakes of one thread.
 * @returns to be called with the counts of its engine, before each scrape
 */
export function registerHandshakes(metrics: MetricSet): (counts: HandshakesBySide) => void {
  const total = metrics.counter({
    name: 'ambient_tls_handshakes_total',
    help: 'TLS handshakes that ended: `ok`, `failed`, or `refused` because too many were under way.',
    labels: ['side', 'result'],
  });
  const open = metrics.gauge({
    name: 'ambient_tls_handshakes_open',
    help: 'TLS handshakes that are `active`, or `waiting` for a place.',
    labels: ['side', 'state'],
  });
  return counts => {
    for (const side of SIDES) {
      const { active, failedTotal, okTotal, rejectedTotal, waiting } = counts[side];
      total.cell([side, 'ok']).value = okTotal;
      total.cell([side, 'failed']).value = failedTotal;
      total.cell([side, 'refused']).value = rejectedTotal;
      open.cell([side, 'active']).value = active;
      open.cell([side, 'waiting']).value = waiting;
    }
  };
}
