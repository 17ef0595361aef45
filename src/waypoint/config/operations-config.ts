import { type Address, readAddress, readAdminAddress } from '#shared/config/address.ts';
import type { EnvReader } from '#shared/config/env-reader.ts';
import { LOG_LEVELS, type LogFormat, type LogLevel } from '#shared/observability/logger.ts';
import { ADMIN_PORT, METRICS_PORT, READINESS_PORT } from '../ports.ts';

/** What an operator sees of the process. */
export interface OperationsConfig {
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  /** Undefined: off. */
  readonly adminAddress: Address | undefined;
  readonly adminSocket: string | undefined;
  readonly statsAddress: Address | undefined;
  readonly readinessAddress: Address | undefined;
}

export function readOperations(env: EnvReader, meshed: boolean): OperationsConfig {
  const format = env.oneOf('LOG_FORMAT', ['text', 'plain', 'json'], 'text', 'plain is text');
  const logFormat: LogFormat = format === 'json' ? 'json' : 'text';
  const stats = meshed ? `0.0.0.0:${METRICS_PORT}` : 'off';
  const readiness = meshed ? `0.0.0.0:${READINESS_PORT}` : 'off';
  return {
    logFormat,
    logLevel: env.oneOf('LOG_LEVEL', LOG_LEVELS, 'info', 'log level; scopes are set on the admin page'),
    adminAddress: readAdminAddress(env, meshed ? `127.0.0.1:${ADMIN_PORT}` : 'off'),
    adminSocket: env.optional('ADMIN_UNIX_SOCKET', 'unix socket of the admin page'),
    statsAddress: readAddress(env, 'STATS_ADDR', stats, 'metrics, or off'),
    readinessAddress: readAddress(env, 'READINESS_ADDR', readiness, 'readiness, or off'),
  };
}
