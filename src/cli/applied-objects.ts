import { isJsonObject } from '#shared/config/json.ts';
import { bareKind, groupOf } from '#shared/kube/kind-name.ts';
import { insteadOf } from './check/other-kinds.ts';
import { cliErrorOf } from './cli-error.ts';
import { fileOf } from '../playground/objects/object-store.ts';
import { type Finding, findingsOf } from './commands/analyze.ts';
import { children, text } from '#shared/config/json-fields.ts';

/** An object that was just written for the controller to read. */
export interface AppliedObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
}

export interface Verdict {
  /** What is wrong, a line each; empty: everything is in force. */
  readonly lines: readonly string[];
  readonly rejected: boolean;
  /** What the controller says nothing of, yet. */
  readonly unread: readonly AppliedObject[];
}

/** A change is read within 50 ms on an idle machine; a controller that is started again takes a few seconds. */
const DEADLINE_MS = 5_000;
const POLL_MS = 50;

export interface Waiting {
  /** Monotonic, ms. */
  readonly elapsed: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

/** Asks until the controller has read all of them, or for too long. */
export async function awaitVerdict(
  applied: readonly AppliedObject[],
  ask: () => Promise<unknown>,
  { elapsed, sleep }: Waiting,
): Promise<Verdict> {
  const until = elapsed() + DEADLINE_MS;
  for (;;) {
    const answer = await ask().catch((error: unknown) => cliErrorOf(error).message);
    const verdict =
      typeof answer === 'string'
        ? { lines: [], rejected: false, unread: applied }
        : verdictOn(answer, applied);
    if (verdict.unread.length === 0) return verdict;
    if (elapsed() >= until) {
      const late =
        typeof answer === 'string'
          ? [
              `warning: the controller does not say whether it takes them: ${answer}; later: ambientctl analyze`,
            ]
          : verdict.unread.map(unreadLine);
      return { ...verdict, lines: [...verdict.lines, ...late] };
    }
    await sleep(POLL_MS);
  }
}

function unreadLine(object: AppliedObject): string {
  const version = JSON.stringify(object.apiVersion);
  return `warning: ${shown(object)}: the controller has not read it; is apiVersion ${version} the one of a ${object.kind}?`;
}

/** Pure. @param answer of `/debug/objects` */
export function verdictOn(answer: unknown, applied: readonly AppliedObject[]): Verdict {
  const page = isJsonObject(answer) ? answer : {};
  const kinds: readonly unknown[] = Array.isArray(page['kinds']) ? page['kinds'] : [];
  const generations = new Map(children(page, 'objects').map(o => [text(o, 'key'), text(o, 'generation')]));
  const unreadable = new Set(children(page, 'unreadable').map(problem => text(problem, 'origin')));
  const isForeign = (o: AppliedObject): boolean =>
    instead(o) !== undefined || (!kinds.includes(o.kind) && o.kind !== 'ServiceAccount');
  const isRead = (o: AppliedObject): boolean =>
    isForeign(o) ||
    !kinds.includes(o.kind) ||
    generations.get(`${o.kind}/${o.namespace}/${o.name}`) === String(o.generation) ||
    [...unreadable].some(origin => origin.includes(fileOf(o)));
  const ours = (object: string): boolean =>
    applied.some(o => object === shown(o) || (unreadable.has(object) && object.includes(fileOf(o))));
  const findings = findingsOf(page, undefined).filter(f => ours(f.object));
  return {
    lines: [...applied.filter(isForeign).map(foreignLine), ...findings.map(findingLine)],
    rejected: findings.some(f => f.level === 'Error'),
    unread: applied.filter(o => !isRead(o)),
  };
}

function instead(object: AppliedObject): string | undefined {
  return insteadOf(groupOf(object.apiVersion), bareKind(object.kind));
}

function foreignLine(object: AppliedObject): string {
  const fix = instead(object);
  if (fix !== undefined)
    return `warning: ${shown(object)}: the mesh reads no ${bareKind(object.kind)} of ${groupOf(object.apiVersion)}: ${fix}`;
  return `warning: ${shown(object)}: the mesh reads no ${object.kind}; is kind misspelled?`;
}

function findingLine({ level, object, field, message, fix }: Finding): string {
  return `${level.toLowerCase()}: ${object}: ${field} ${message}${fix === '' ? '' : `; ${fix}`}`;
}

function shown({ kind, namespace, name }: AppliedObject): string {
  return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
}
