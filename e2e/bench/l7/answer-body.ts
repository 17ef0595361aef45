import { BODY_BYTES, pathOf } from './address-plan.ts';
import { BODIES, type Body } from './plan.ts';

const MESSAGE_PREFIX_BYTES = 5;

/** What is answered to a request for each path. */
export function answersByPath<T>(make: (body: Body) => T): ReadonlyMap<string, T> {
  return new Map(BODIES.map(body => [pathOf(body), make(body)]));
}

export function plainBody(body: Body): Buffer {
  return Buffer.alloc(BODY_BYTES[body], 'x');
}

/** One gRPC message of so many bytes: a flag, a length, and what it holds. */
export function grpcMessage(bytes: number): Buffer {
  const message = Buffer.alloc(bytes, 'x');
  message.writeUInt8(0, 0);
  message.writeUInt32BE(bytes - MESSAGE_PREFIX_BYTES, 1);
  return message;
}
