/** What the API server answered instead of what was asked for. */
export class KubeApiError extends Error {
  /** HTTP status: 401 and 403 are RBAC or the token, 404 is gone, 409 a conflict, 410 a resource version that is too old. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'KubeApiError';
    this.status = status;
  }
}

/** Undefined: not an answer of the API server (it could not be reached). */
export function kubeStatus(error: unknown): number | undefined {
  return error instanceof KubeApiError ? error.status : undefined;
}
