import type { RequestOptions } from 'node:https';

/** How to reach one API server, whatever the way it was configured. */
export interface KubeConnection {
  /** `https://10.96.0.1:443`; may have a path. */
  readonly server: URL;
  /** Of the context or of the pod; `default` when nobody says. */
  readonly namespace: string;
  /** TLS, agent and credentials for the next request; credentials may have been renewed since the last one. */
  requestOptions(): Promise<RequestOptions>;
}
