/** Whether each word of the filter is in the text, in any case. */
export function matches(text: string, filter: string): boolean {
  const lower = text.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every(word => lower.includes(word));
}
