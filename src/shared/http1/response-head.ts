import { ExchangeError, type RequestHead, type ResponseHead } from '../http/exchange.ts';
import { isConnect, opensTunnel } from '../http/tunnel.ts';
import type { BodyEncoder } from './body-encoder.ts';
import { dateLine } from './date-field.ts';
import { beginHead, endHead, putFields, putText } from './head-writer.ts';
import { statusLine } from './status-line.ts';

/** How one response is framed and what becomes of the connection after it. */
export interface ResponseFraming {
  /** 101, or 2xx to CONNECT: from here on bytes, not messages. */
  readonly tunnel: boolean;
  readonly close: boolean;
}

/**
 * Renders a final response head and starts the encoder for its body (RFC 9112 §6.3 seen from the sender).
 * @param close the connection ends after this response in any case
 * @returns an error when a field cannot be sent; nothing is started then
 */
export function renderResponse(
  request: RequestHead,
  head: ResponseHead,
  endStream: boolean,
  close: boolean,
  encoder: BodyEncoder,
  nowMs: number,
): ResponseFraming | ExchangeError {
  try {
    return render(request, head, endStream, close, encoder, nowMs);
  } catch (error) {
    if (error instanceof ExchangeError) return error;
    throw error;
  }
}

function render(
  request: RequestHead,
  head: ResponseHead,
  endStream: boolean,
  close: boolean,
  encoder: BodyEncoder,
  nowMs: number,
): ResponseFraming {
  const { status } = head;
  if (status === 101 && request.upgrade === undefined) {
    throw new ExchangeError('protocol_error', 'switches protocols without being asked to');
  }
  const tunnel = opensTunnel(request, status);
  beginHead();
  putText(statusLine(status));
  if (!putFields(head.headers)) putText(dateLine(nowMs));
  if (tunnel) {
    putUpgrade(request.upgrade);
    encoder.startRaw();
    return { tunnel, close: true };
  }
  // What follows a refused CONNECT may be meant for the tunnel.
  let last = close || isConnect(request);
  if (request.method === 'HEAD' || status === 204 || status === 304) {
    if (status !== 204 && head.contentLength !== undefined) putLength(head.contentLength);
    encoder.startNone();
  } else if (endStream || head.contentLength !== undefined) {
    const length = endStream ? 0 : (head.contentLength ?? 0);
    putLength(length);
    encoder.startLength(length);
  } else if (request.protocol === 'HTTP/1.0') {
    last = true;
    encoder.startRaw();
  } else {
    putText('transfer-encoding: chunked\r\n');
    encoder.startChunked();
  }
  if (last) putText('connection: close\r\n');
  else if (request.protocol === 'HTTP/1.0') putText('connection: keep-alive\r\n');
  putText('\r\n');
  return last ? CLOSE : KEEP;
}

const CLOSE: ResponseFraming = Object.freeze({ tunnel: false, close: true });
const KEEP: ResponseFraming = Object.freeze({ tunnel: false, close: false });

/** 1xx other than 101. */
export function renderInterim(head: ResponseHead): Buffer {
  beginHead();
  putText(statusLine(head.status));
  putFields(head.headers);
  putText('\r\n');
  return endHead();
}

export function renderContinue(): Buffer {
  beginHead();
  putText(statusLine(100));
  putText('\r\n');
  return endHead();
}

/** What the codec itself answers to a message it refuses. The connection is closed after it. */
export function renderRefusal(status: number, reason: string, nowMs: number): Buffer {
  beginHead();
  putText(statusLine(status));
  putText(dateLine(nowMs));
  putText('content-type: text/plain\r\n');
  putLength(reason.length + 1);
  putText('connection: close\r\n\r\n');
  putText(reason);
  putText('\n');
  return endHead();
}

function putUpgrade(token: string | undefined): void {
  if (token !== undefined) {
    putText('connection: upgrade\r\nupgrade: ');
    putText(token);
    putText('\r\n');
  }
  putText('\r\n');
}

function putLength(bytes: number): void {
  putText('content-length: ');
  putText(String(bytes));
  putText('\r\n');
}
