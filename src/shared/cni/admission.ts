import { isIP } from 'node:net';
import { isJsonObject, type JsonObject, parseJson } from '../config/json.ts';
import { errorMessage } from '../observability/error-message.ts';

/**
 * What the CNI plugin asks the node's ztunnel, and what that answers: one line of JSON each way on a unix socket, then the
 * end. docs/kubernetes-node.md
 */
export interface AdmissionRequest {
  readonly command: 'add' | 'check' | 'del';
  /** Pod uid as the container runtime knows it. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Path of the network namespace; empty when it is gone (DEL). */
  readonly netns: string;
  /** As the plugin before in the chain has assigned them. */
  readonly ips: readonly string[];
}

export type AdmissionAnswer =
  | { readonly ok: true; readonly captured: boolean; readonly reason: string }
  | { readonly ok: false; readonly reason: string };

export type AdmissionParse =
  | { readonly ok: true; readonly request: AdmissionRequest }
  | { readonly ok: false; readonly error: string };

export const MAX_ADMISSION_BYTES = 64 << 10;
const PROTOCOL_VERSION = 1;
const UID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const MAX_IPS = 16;

export function formatAdmissionRequest(request: AdmissionRequest): string {
  return `${JSON.stringify({ version: PROTOCOL_VERSION, ...request })}\n`;
}

export function formatAdmissionAnswer(answer: AdmissionAnswer): string {
  return `${JSON.stringify(answer)}\n`;
}

export function parseAdmissionRequest(line: string): AdmissionParse {
  try {
    return { ok: true, request: admissionRequest(objectOf(line)) };
  } catch (cause) {
    return { ok: false, error: errorMessage(cause) };
  }
}

/** Throws when the line is no answer. */
export function parseAdmissionAnswer(line: string): AdmissionAnswer {
  const { ok, captured, reason } = objectOf(line);
  if (typeof reason !== 'string') throw new Error('an answer without a reason');
  if (ok === false) return { ok, reason };
  if (ok !== true || typeof captured !== 'boolean') throw new Error('an answer that says neither yes nor no');
  return { ok, captured, reason };
}

function admissionRequest(object: JsonObject): AdmissionRequest {
  const { version, command, netns, ips = [] } = object;
  if (version !== PROTOCOL_VERSION) {
    throw new Error(
      `version ${JSON.stringify(version)} of the protocol; this ztunnel speaks ${PROTOCOL_VERSION}: plugin and ztunnel are not of the same release`,
    );
  }
  if (command !== 'add' && command !== 'check' && command !== 'del') throw new Error('command is not known');
  if (typeof netns !== 'string' || (netns !== '' && !/^\/[^\0]{1,4095}$/.test(netns))) {
    throw new Error('netns is not an absolute path');
  }
  if (!Array.isArray(ips) || ips.length > MAX_IPS || !ips.every(isAddress)) {
    throw new Error('ips is not a list of addresses');
  }
  return {
    command,
    uid: matching(object, 'uid', UID),
    namespace: matching(object, 'namespace', OBJECT_NAME),
    name: matching(object, 'name', OBJECT_NAME),
    netns,
    ips,
  };
}

function matching(object: JsonObject, field: string, pattern: RegExp): string {
  const value = object[field];
  if (typeof value === 'string' && pattern.test(value)) return value;
  throw new Error(`${field} is not a ${field === 'uid' ? 'uid' : 'name'}`);
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && isIP(value) !== 0;
}

function objectOf(line: string): JsonObject {
  const value = parseJson(line);
  if (!isJsonObject(value)) throw new Error('not a JSON object');
  return value;
}
