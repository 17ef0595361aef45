import { type Document, parseAllDocuments } from 'yaml';
import { errorMessage } from '#shared/observability/error-message.ts';
import { keyOf, type KubeObject } from './kube-object.ts';
import type { SourceProblem } from './object-source.ts';
import { parseObject } from './parse-object.ts';

/** What one file holds. */
export interface ObjectFile {
  readonly objects: ReadonlyMap<string, KubeObject>;
  readonly problems: readonly SourceProblem[];
}

export const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MAX_DOCUMENTS = 10_000;
const MAX_VALUE_CHARS = 100;
/** A handful of anchors is ordinary; a file that expands them a million times over is an attack. */
const MAX_ALIASES = 100;

/**
 * Objects of a YAML (or JSON) text of one or more documents. A bad document costs only itself; while there is one, an
 * object of `before` that is not found is kept, because the bad document may be what has become of it.
 */
export function parseObjectFile(text: string, path: string, before: ObjectFile | undefined): ObjectFile {
  const objects = new Map<string, KubeObject>();
  const problems: SourceProblem[] = [];
  const documents = parseAllDocuments(text);
  if (documents.length > MAX_DOCUMENTS) {
    const fix = `split the file: at most ${MAX_DOCUMENTS} documents are read`;
    return keepLastGood(before, objects, [
      problem(path, '', documents.length, 'holds too many documents', fix),
    ]);
  }
  for (const [i, document] of documents.entries()) {
    const origin = documents.length === 1 ? path : `${path} document ${i + 1}`;
    const parsed = parseDocument(document, origin);
    if (parsed === undefined) continue;
    if ('message' in parsed) problems.push(parsed);
    else if (objects.has(keyOf(parsed))) {
      problems.push(
        problem(origin, 'metadata.name', keyOf(parsed), 'is in this file twice', 'remove one of them'),
      );
    } else objects.set(keyOf(parsed), parsed);
  }
  return keepLastGood(before, objects, problems);
}

/** A file that could not be read at all: everything last good of it stays. */
export function unreadableFile(
  path: string,
  reason: string,
  fix: string,
  before: ObjectFile | undefined,
): ObjectFile {
  return keepLastGood(before, new Map(), [problem(path, '', undefined, reason, fix)]);
}

export function problem(
  origin: string,
  field: string,
  value: unknown,
  message: string,
  fix: string,
): SourceProblem {
  const text = value === undefined ? 'not set' : JSON.stringify(value);
  return { origin, field, value: text.slice(0, MAX_VALUE_CHARS), message, fix };
}

function keepLastGood(
  before: ObjectFile | undefined,
  objects: Map<string, KubeObject>,
  problems: readonly SourceProblem[],
): ObjectFile {
  if (problems.length === 0 || before === undefined) return { objects, problems };
  return { objects: new Map([...before.objects, ...objects]), problems };
}

function parseDocument(document: Document.Parsed, origin: string): KubeObject | SourceProblem | undefined {
  const [error] = document.errors;
  if (error !== undefined) {
    const [message = 'is not YAML'] = error.message.split('\n');
    return problem(origin, '', undefined, message, 'correct the YAML');
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    const message = errorMessage(cause);
    return problem(origin, '', undefined, message, 'write out what the aliases stand for');
  }
  const parsed = parseObject(value);
  if (parsed.kind === 'skipped') return undefined;
  if (parsed.kind === 'object') return parsed.object;
  return problem(origin, parsed.field, parsed.value, parsed.message, parsed.fix);
}
