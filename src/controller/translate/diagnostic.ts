import type { KubeObject } from '../source/kube-object.ts';

/** One thing that is wrong with an object, or that is not done although the object asks for it. */
export interface Diagnostic {
  /** `HTTPRoute shop/payments`. */
  readonly object: string;
  /** Path of the field, `spec.rules[0].matches[1].path.type`. */
  readonly field: string;
  /** What is written there, as JSON, cut to a bearable length. */
  readonly value: string;
  readonly message: string;
  /** What to do next. */
  readonly fix: string;
  /** `rejected`: the object is not used at all. `ignored`: the rest of it is. */
  readonly severity: 'rejected' | 'ignored';
}

export type Translated<T> =
  | { readonly ok: true; readonly value: T; readonly diagnostics: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

const MAX_VALUE_CHARS = 100;

/** Collects what a translation finds in one object, so that all of it is reported at once. */
export class Diagnostics {
  readonly object: string;
  readonly #found: Diagnostic[] = [];
  #rejected = false;

  constructor(object: KubeObject) {
    this.object = objectName(object);
  }

  reject(field: string, value: unknown, message: string, fix: string): void {
    this.#rejected = true;
    this.#add('rejected', field, value, message, fix);
  }

  ignore(field: string, value: unknown, message: string, fix: string): void {
    this.#add('ignored', field, value, message, fix);
  }

  get rejected(): boolean {
    return this.#rejected;
  }

  get found(): readonly Diagnostic[] {
    return this.#found;
  }

  /** Whether all that is rejected is in one field, `spec.rules`, or below it: what the rest says is certain then. */
  isRejectedOnlyIn(field: string): boolean {
    return this.#found.every(
      one =>
        one.severity !== 'rejected' ||
        one.field === field ||
        one.field.startsWith(`${field}.`) ||
        one.field.startsWith(`${field}[`),
    );
  }

  /** The outcome of a translation: its value, unless something was rejected. */
  conclude<T>(value: T): Translated<T> {
    return this.#rejected
      ? { ok: false, diagnostics: this.#found }
      : { ok: true, value, diagnostics: this.#found };
  }

  #add(severity: Diagnostic['severity'], field: string, value: unknown, message: string, fix: string): void {
    this.#found.push({ object: this.object, field, value: shownValue(value), message, fix, severity });
  }
}

/** One thing that has no effect, found in an object by looking at others. */
export function ignored(
  object: KubeObject,
  field: string,
  value: unknown,
  message: string,
  fix: string,
): readonly Diagnostic[] {
  const diagnostics = new Diagnostics(object);
  diagnostics.ignore(field, value, message, fix);
  return diagnostics.found;
}

/** `HTTPRoute shop/payments`; without the namespace for cluster-scoped kinds. */
export function objectName(object: KubeObject): string {
  const { name, namespace } = object.metadata;
  return `${object.kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
}

/** One line for logs and statuses. */
export function formatDiagnostic(d: Diagnostic): string {
  const verb = d.severity === 'rejected' ? 'rejected' : 'partly ignored';
  return `${d.object} ${verb}: ${d.field}: ${d.message} (value ${d.value}); ${d.fix}`;
}

/** In one line, to those who are refused because an object was never good. */
export function whyRejected(object: KubeObject, diagnostics: readonly Diagnostic[]): string {
  const first = diagnostics.find(({ severity }) => severity === 'rejected');
  return first === undefined ? `${objectName(object)} is not valid` : formatDiagnostic(first);
}

function shownValue(value: unknown): string {
  // `undefined` has no JSON form: a field that should be there and is not.
  const text = value === undefined ? 'not set' : JSON.stringify(value);
  return text.length <= MAX_VALUE_CHARS ? text : `${text.slice(0, MAX_VALUE_CHARS - 1)}…`;
}
