/** Fields by the names they have in the access log (docs/tap.md). Plain data, fit for a structured clone. */
export type TapFields = Readonly<Record<string, string | number | readonly string[]>>;

/** One line of a tap. The three events of a request share its `id`. */
export type TapEvent =
  | { readonly event: 'request' | 'response' | 'end'; readonly id: string; readonly fields: TapFields }
  /** Requests that matched and are not shown, beyond the rate of this tap, since the last such line. */
  | { readonly event: 'skipped'; readonly fields: { readonly requests: number } };

/** `fields` beside `event` and `id`, as one object. */
export function formatTapEvent(event: TapEvent): string {
  const { fields, ...rest } = event;
  return JSON.stringify({ ...rest, ...fields });
}
