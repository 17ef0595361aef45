import { Agent, type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import { type Delivery, type OtlpTransport, SEND_TIMEOUT_MS } from './otlp-transport.ts';

/** OTLP/HTTP: statuses after which the same bytes may be sent again. */
const RETRIABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** Of an answer that says why. */
const MAX_REASON_BYTES = 200;

/** OTLP over HTTP, protobuf. `endpoint` is the base: `/v1/traces` follows it. */
export function httpTransport(endpoint: URL): OtlpTransport {
  const url = new URL(`${endpoint.pathname.replace(/\/$/, '')}/v1/traces`, endpoint);
  const secure = url.protocol === 'https:';
  const agent = secure ? new TlsAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  return {
    address: url.href,
    send: body => post(url, secure, { agent }, body),
    close: () => agent.destroy(),
  };
}

function post(url: URL, secure: boolean, options: RequestOptions, body: Buffer): Promise<Delivery> {
  return new Promise(resolve => {
    const headers = { 'content-type': 'application/x-protobuf', 'content-length': body.length };
    const req: ClientRequest = (secure ? httpsRequest : httpRequest)(
      url,
      { ...options, method: 'POST', headers, timeout: SEND_TIMEOUT_MS },
      res => {
        let text = '';
        res.setEncoding('latin1');
        res.on('data', (part: string) => (text = (text + part).slice(0, MAX_REASON_BYTES)));
        res.on('error', error => resolve({ ok: false, reason: error.message, retriable: true }));
        res.on('end', () => resolve(deliveryOf(res.statusCode ?? 0, text)));
      },
    );
    req.on('timeout', () => req.destroy(new Error(`no answer within ${SEND_TIMEOUT_MS} ms`)));
    req.on('error', error => resolve({ ok: false, reason: error.message, retriable: true }));
    req.end(body);
  });
}

function deliveryOf(status: number, text: string): Delivery {
  if (status >= 200 && status < 300) return { ok: true };
  const reason = `HTTP ${status}${text === '' ? '' : `: ${text.trim()}`}`;
  return { ok: false, reason, retriable: RETRIABLE.has(status) };
}
