import { chart, type Panel, stat } from '../board.ts';
import { of, rate, select, sum } from '../promql.ts';

export type Component = 'ztunnel' | 'waypoint' | 'pilot';
export const POD = 'pod=~"$pod"';

/** What the chosen processes of a component say of themselves. */
export function ofPods(component: Component, metric: string, ...matchers: string[]): string {
  return of(component, select(metric, POD, ...matchers));
}

export function rateOfPods(component: Component, metric: string, ...matchers: string[]): string {
  return of(component, rate(select(metric, POD, ...matchers)));
}

/** Counters that are there from the start, one series a pod. */
export function perPod(component: Component, metric: string, ...matchers: string[]): string {
  return sum(rateOfPods(component, metric, ...matchers), 'pod');
}

export function readyPanels(component: Component): readonly Panel[] {
  return [
    stat('Processes', 'Of which Prometheus hears.', 'short', `count(${ofPods(component, 'ambient_ready')})`),
    stat(
      'Not ready',
      'What they wait for: /healthz/ready (docs/debugging.md).',
      'short',
      `count((${ofPods(component, 'ambient_ready')}) == 0) or vector(0)`,
      { alarm: { at: 1 } },
    ),
  ];
}

/** The process itself: the runtime's memory and loop. */
export function processPanels(component: Component): readonly Panel[] {
  const legend = '{{pod}}';
  return [
    chart('Memory', 'Resident, of all threads.', 'bytes', [
      { expr: ofPods(component, 'process_resident_memory_bytes'), legend },
    ]),
    chart('Processor', '1 is one processor.', 'short', [
      { expr: rateOfPods(component, 'process_cpu_seconds_total'), legend },
    ]),
    chart(
      'Lag of the main thread, 99 of 100',
      'How late timers of the main thread fire. Traffic runs on other threads; a lag of seconds delays configuration and certificates.',
      's',
      [{ expr: ofPods(component, 'nodejs_eventloop_lag_p99_seconds'), legend }],
    ),
    chart('Open file descriptors', 'Sockets above all.', 'short', [
      { expr: ofPods(component, 'process_open_fds'), legend },
    ]),
    chart('Log lines dropped', 'Who reads the container’s log is too slow, or its disk is full.', 'ops', [
      { expr: perPod(component, 'ambient_log_lines_dropped_total'), legend },
    ]),
    chart('Versions', 'Two: an upgrade is under way.', 'short', [
      { expr: `count by (tag) (istio_build{component="${component}", ${POD}})`, legend: '{{tag}}' },
    ]),
  ];
}
