/** Which requests of a waypoint are shown; each as it is asked for, the waypoint refuses what is wrong. */
export interface TapFilter {
  readonly namespace?: string;
  readonly source?: string;
  readonly sourceNamespace?: string;
  readonly method?: string;
  readonly authority?: string;
  readonly path?: string;
  readonly status?: string;
  readonly maxRps?: string;
  readonly limit?: string;
  readonly duration?: string;
  readonly headers?: true;
}

/** Where a waypoint's admin server shows them. */
export function tapPath(service: string | undefined, filter: TapFilter): string {
  const wanted: Readonly<Record<string, string | undefined>> = {
    service,
    namespace: filter.namespace,
    source: filter.source,
    source_namespace: filter.sourceNamespace,
    method: filter.method,
    authority: filter.authority,
    path: filter.path,
    status: filter.status,
    max_rps: filter.maxRps,
    limit: filter.limit,
    duration: filter.duration,
    headers: filter.headers === true ? 'true' : undefined,
  };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) if (value !== undefined) query.set(name, value);
  return `/debug/tap?${query.toString()}`;
}
