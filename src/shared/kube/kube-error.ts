import { isJsonObject } from '../config/json.ts';

/** The API server answered, and not with success. `status` is the HTTP status, `reason` Kubernetes' word for it. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  readonly reason: string;
  /** Seconds, when the server says how long to wait (429, 503). */
  readonly retryAfterS: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterS?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterS = retryAfterS;
  }
}

/** From a `Status` object, or from whatever else an error answer holds. */
export function kubeErrorOf(httpStatus: number, body: unknown, what: string): KubeError {
  if (!isJsonObject(body)) return new KubeError(httpStatus, 'Unknown', `${what}: HTTP status ${httpStatus}`);
  const { code, details, message, reason } = body;
  const status = typeof code === 'number' && code > 0 ? code : httpStatus;
  const text = typeof message === 'string' && message !== '' ? message : `status ${status}`;
  const retryAfter = isJsonObject(details) ? details['retryAfterSeconds'] : undefined;
  return new KubeError(
    status,
    typeof reason === 'string' ? reason : 'Unknown',
    `${what}: ${text}`,
    typeof retryAfter === 'number' ? retryAfter : undefined,
  );
}

/** The object, or the kind, is not there. */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.status === 404;
}

/** What is asked for; undefined where the object, or the kind, is not there. */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Somebody else made the object first, or changed it since it was read. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.status === 409;
}

/** The resourceVersion is older than what the server remembers: list again. */
export function isGone(error: unknown): boolean {
  return error instanceof KubeError && (error.status === 410 || error.reason === 'Expired');
}
