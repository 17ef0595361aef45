const MAX_HELD_CHARS = 64 * 1024 * 1024;

/**
 * Server-sent events of a stream that comes in pieces: what each `data` holds. Not the browser's own reader, which cannot send the token.
 * @throws Error when an event does not end
 */
export class EventReader {
  #held = '';

  /** @returns the data of the events that are complete now */
  push(text: string): string[] {
    this.#held += text;
    const events = this.#held.split('\n\n');
    this.#held = events.pop() ?? '';
    if (this.#held.length > MAX_HELD_CHARS) throw new Error('an event has no end');
    return events.flatMap(event => {
      const lines = event.split('\n').filter(line => line.startsWith('data:'));
      return lines.length === 0 ? [] : [lines.map(line => line.slice('data:'.length).trimStart()).join('\n')];
    });
  }
}
