/**
 * Records in a row that bring no application data: changes of keys (RFC 8446 §4.6.3), tickets. As many as other libraries
 * bear; of empty ones OpenSSL bears as many by itself.
 */
export const MAX_IN_A_ROW = 32;
/** What one record takes at most, unless it holds many messages: a change of keys that is answered, and the answer before it. */
const STEPS_OF_A_RECORD = 2;
/** Whatever data is in between: what so many take, 6 ms, is what others wait for at most. */
const MAX_STEPS_OWED = 512;
/** Data that makes up for a step. */
const BYTES_FOR_A_STEP = 512;

/** What records of one session have cost that bring no data. Each costs a peer nothing, and us new keys: 20 us. */
export class RecordsWithoutData {
  #records = 0;
  #steps = 0;
  #owed = 0;

  dataCame(bytes: number): void {
    this.#records = 0;
    this.#steps = 0;
    if (this.#owed > 0) this.#owed = Math.max(0, this.#owed - bytes / BYTES_FOR_A_STEP);
  }

  /** Something else was dealt with. @param isWhole and with it a record @returns whether that is too much */
  count(isWhole: boolean): boolean {
    this.#steps++;
    this.#owed++;
    if (isWhole) this.#records++;
    const isTooLong = this.#records > MAX_IN_A_ROW || this.#steps > STEPS_OF_A_RECORD * MAX_IN_A_ROW;
    return isTooLong || this.#owed > MAX_STEPS_OWED;
  }
}
