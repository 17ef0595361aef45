import { isJsonObject, parseJson } from '#shared/config/json.ts';

/**
 * The rules of a table as the kernel holds them, from `nft -j list table`, without what differs between two loads of
 * the same rules (handles, the program's version). Two equal texts are the same rules in the same order.
 * Throws when the text is not such a listing.
 */
export function normalizedListing(json: string): string {
  const listing = parseJson(json);
  const entries = isJsonObject(listing) ? listing['nftables'] : undefined;
  if (!Array.isArray(entries)) throw new Error('not a listing of nft: there is no array "nftables"');
  const kept = entries.filter(entry => !(isJsonObject(entry) && 'metainfo' in entry));
  return JSON.stringify(kept, (key, value: unknown) => (key === 'handle' ? undefined : value));
}

export interface RulesetShape {
  readonly chains: number;
  readonly rules: number;
}

/** Number of chains and rules in a ruleset of `capture-rules.ts`. */
export function shapeOfRuleset(text: string): RulesetShape {
  const lines = text.split('\n');
  const chains = lines.filter(line => line.startsWith('  chain ')).length;
  // Each chain has one line that says its hook; every other line at that depth is a rule.
  return { chains, rules: lines.filter(line => line.startsWith('    ')).length - chains };
}

/** The same of a normalized listing. */
export function shapeOfListing(normalized: string): RulesetShape {
  const entries = parseJson(normalized);
  const count = (kind: string): number =>
    Array.isArray(entries) ? entries.filter(entry => isJsonObject(entry) && kind in entry).length : 0;
  return { chains: count('chain'), rules: count('rule') };
}
