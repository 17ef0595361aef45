import { BODY_BYTES } from './address-plan.ts';
import type { Body } from './plan.ts';

const MESSAGE_PREFIX_BYTES = 5;

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
