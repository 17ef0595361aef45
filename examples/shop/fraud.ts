import { serveHttp } from './http-app.ts';

/**
 * Checks for fraud, badly: every third request fails with 503. `POST /mode?fail=always|third|never` changes that while it
 * runs, and `/stats` tells how many requests really arrived, retries included.
 */
type Mode = 'always' | 'third' | 'never';
const MODES: readonly Mode[] = ['always', 'third', 'never'];

let mode: Mode = 'third';
let received = 0;

serveHttp((request, url) => {
  if (url.pathname === '/stats') return { status: 200, body: { received, mode } };
  if (url.pathname === '/mode' && request.method === 'POST') {
    const wanted = MODES.find(m => m === url.searchParams.get('fail'));
    if (wanted === undefined)
      return { status: 400, body: { error: `fail must be one of ${MODES.join(', ')}` } };
    mode = wanted;
    received = 0;
    return { status: 200, body: { mode } };
  }
  received++;
  const fails = mode === 'always' || (mode === 'third' && received % 3 === 0);
  return fails
    ? { status: 503, body: { error: 'fraud check unavailable' } }
    : { status: 200, body: { fraud: false } };
});
