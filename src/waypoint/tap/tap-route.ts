import { type AdminRoute, text } from '#shared/observability/admin-server.ts';
import { parseTap } from './tap-filter.ts';
import { MAX_TAPS, type TapSessions } from './tap-sessions.ts';

/** `GET /debug/tap?…`: requests as they pass, one JSON object a line, until its time is over or who asked hangs up. */
export function tapRoute(sessions: TapSessions): AdminRoute {
  return {
    method: 'GET',
    path: '/debug/tap',
    help: 'requests as they pass, one JSON object a line: ?service=…&source=…&path=/…&status=5xx&duration=1m',
    handle({ query }) {
      const parsed = parseTap(query);
      if (!parsed.ok) return text(`${parsed.reason}\n`, 400);
      return {
        status: 200,
        contentType: 'application/x-ndjson',
        body: '',
        stream: output => {
          const stop = sessions.start(parsed.request, output);
          if (stop !== undefined) return stop;
          output.writeLine(
            JSON.stringify({ event: 'refused', reason: `${MAX_TAPS} taps run already: end one first` }),
          );
          output.end();
          return () => undefined;
        },
      };
    },
  };
}
