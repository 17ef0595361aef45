import { type HeaderList, truncate } from './headers.ts';

/**
 * A list of fields that is filled again and again, so that a message costs none. What it shows is to be read, or copied, before
 * it is filled anew.
 */
export class FieldBuffer {
  readonly #fields: HeaderList = [];
  #length = 0;

  clear(): void {
    this.#length = 0;
  }

  add(name: string, value: string): void {
    this.#fields[this.#length++] = name;
    this.#fields[this.#length++] = value;
  }

  /** What was added since `clear`. */
  get fields(): HeaderList {
    truncate(this.#fields, this.#length);
    return this.#fields;
  }
}
