import { parseJson } from '#shared/config/json.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { readSingleCertificate } from '#shared/pki/certificate-facts.ts';
import { CaError } from './ca-error.ts';
import type { AuthorityRecord, CaState } from './root-rotation.ts';

const FORMAT_VERSION = 1;

/** `where` is for the message. @throws CaError when the text is damaged: a new root must be a decision. */
export function parseCaState(text: string, where: string): CaState {
  try {
    return parseState(parseJson(text));
  } catch (cause) {
    const why = errorMessage(cause);
    throw new CaError(
      'FAILED_PRECONDITION',
      `CA state ${where} is damaged (${why}): restore it from a backup`,
      { cause },
    );
  }
}

export function formatCaState(state: CaState): string {
  return `${JSON.stringify({ version: FORMAT_VERSION, ...state }, undefined, 2)}\n`;
}

function parseState(value: unknown): CaState {
  const object = asObject(value, 'state');
  if (object['version'] !== FORMAT_VERSION) throw new Error(`version is not ${FORMAT_VERSION}`);
  const active = parseAuthority(object['active'], 'active');
  const leavesUntilMs = asTime(object['leavesUntilMs'], 'leavesUntilMs');
  const phase = object['phase'];
  if (phase === 'stable') return { phase, active, leavesUntilMs };
  const oldLeavesUntilMs = asTime(object['oldLeavesUntilMs'], 'oldLeavesUntilMs');
  if (phase === 'prepared') {
    return { phase, active, leavesUntilMs, oldLeavesUntilMs, next: parseAuthority(object['next'], 'next') };
  }
  if (phase === 'switched') {
    return {
      phase,
      active,
      leavesUntilMs,
      oldLeavesUntilMs,
      previous: parseAuthority(object['previous'], 'previous'),
    };
  }
  throw new Error('phase is not stable, prepared or switched');
}

function parseAuthority(value: unknown, path: string): AuthorityRecord {
  const object = asObject(value, path);
  return {
    id: asString(object['id'], `${path}.id`),
    rootPem: asCertificate(object['rootPem'], `${path}.rootPem`),
    rootKey: asString(object['rootKey'], `${path}.rootKey`),
    intermediatePem: asCertificate(object['intermediatePem'], `${path}.intermediatePem`),
    intermediateKey: asString(object['intermediateKey'], `${path}.intermediateKey`),
  };
}

function asObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new Error(`${path} is not an object`);
  return Object.fromEntries(Object.entries(value));
}

function asString(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw new Error(`${path} is not a string`);
  return value;
}

function asCertificate(value: unknown, path: string): string {
  const pem = asString(value, path);
  readSingleCertificate(pem);
  return pem;
}

function asTime(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${path} is not a time`);
  return value;
}
