/** How a connection ends: both directions in order, or by a reset of one side. */
export const ENDINGS = ['orderly', 'client_resets', 'server_resets'] as const;
export type Ending = (typeof ENDINGS)[number];

/** What the client says first. */
export interface Plan {
  readonly seed: number;
  readonly ending: Ending;
  /** Bytes each way; a side that resets does so after a part of them. */
  readonly bytes: number;
}

export const PLAN_BYTES = 13;

export function encodePlan({ seed, ending, bytes }: Plan): Buffer {
  const plan = Buffer.alloc(PLAN_BYTES);
  plan.writeUInt32BE(seed, 0);
  plan.writeUInt8(ENDINGS.indexOf(ending), 4);
  plan.writeBigUInt64BE(BigInt(bytes), 5);
  return plan;
}

/** Throws when it is none. */
export function decodePlan(plan: Buffer): Plan {
  const ending = ENDINGS[plan.readUInt8(4)];
  if (ending === undefined) throw new Error('not a plan');
  return { seed: plan.readUInt32BE(0), ending, bytes: Number(plan.readBigUInt64BE(5)) };
}
