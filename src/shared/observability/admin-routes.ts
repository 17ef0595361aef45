import type { Readiness } from '../lifecycle/readiness.ts';
import { type AdminRoute, json, text } from './admin-server.ts';
import { LOG_LEVELS, type LogLevel, type LogLevels, parseLogLevel } from './logger.ts';

/**
 * `GET /healthz/ready`: 200 when ready, 503 with what is waited for. `warnings` are shown below: what an operator
 * has to know, though it is no reason to take the whole process out of service.
 */
export function readinessRoute(
  readiness: Readiness,
  warnings: () => readonly string[] = () => [],
  /** What the one who is not ready knows of the reason. */
  details: () => readonly string[] = () => [],
): AdminRoute {
  return {
    method: 'GET',
    path: '/healthz/ready',
    help: '200 when ready, 503 with what is waited for',
    handle: () =>
      readiness.ready
        ? text(['ready', ...warnings()].map(line => `${line}\n`).join(''))
        : text(
            [`waiting for: ${readiness.waitingFor.join(', ')}`, ...details(), ...warnings()]
              .map(line => `${line}\n`)
              .join(''),
            503,
          ),
  };
}

/** `/metrics` and `/stats/prometheus`, which is where Envoy has them. */
export function metricsRoutes(render: () => Promise<string>, contentType: string): AdminRoute[] {
  return ['/metrics', '/stats/prometheus'].map(path => ({
    method: 'GET' as const,
    path,
    help: 'metrics in the Prometheus text format',
    handle: async () => ({ status: 200, contentType, body: await render() }),
  }));
}

/** `GET /logging` shows the levels; `POST /logging?level=debug` sets all, `?<scope>=<level>` one. */
export function loggingRoutes(
  levels: LogLevels,
  onChange: (level: LogLevel, scope: string | undefined) => void,
): AdminRoute[] {
  return [
    { method: 'GET', path: '/logging', help: 'log levels', handle: () => json(levels.describe()) },
    {
      method: 'POST',
      path: '/logging',
      help: 'set log levels: ?level=debug for all, ?<scope>=debug for one',
      handle: ({ query }) => {
        for (const value of query.values()) {
          if (parseLogLevel(value) !== undefined) continue;
          return text(
            `log level ${JSON.stringify(value)} is not accepted; use ${LOG_LEVELS.join(', ')}\n`,
            400,
          );
        }
        for (const [name, value] of query) {
          const level = parseLogLevel(value);
          if (level === undefined) continue;
          const scope = name === 'level' ? undefined : name;
          levels.set(level, scope);
          onChange(level, scope);
        }
        return json(levels.describe());
      },
    },
  ];
}
