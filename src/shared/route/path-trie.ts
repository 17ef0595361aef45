import { type EntryList, isEmptyList, makeEntryList } from './entry-list.ts';

/**
 * Finds, in one walk over a path and without allocation, every entry whose exact path or prefix matches it. A radix tree
 * by characters; with `ignoreCase` ASCII letters are compared in lower case.
 */
export interface PathTrie {
  readonly ignoreCase: boolean;
  readonly root: TrieNode;
}

export interface TrieNode {
  /** Characters on the way from the parent. */
  label: string;
  /** By first character of the label. */
  readonly children: Map<number, TrieNode>;
  /** Entries for exactly this path. */
  readonly exact: EntryList;
  /** Entries for this path and everything below it (`/a` takes `/a/b`, not `/ab`). */
  readonly elements: EntryList;
  /** Entries for every path that begins so. */
  readonly characters: EntryList;
}

export type TrieKind = 'exact' | 'elements' | 'characters';

const SLASH = 0x2f;

export function makeTrie(ignoreCase: boolean): PathTrie {
  return { ignoreCase, root: makeNode('') };
}

/** The list of entries for a path. A trailing slash of an element prefix means nothing (Gateway API). */
export function listInTrie(trie: PathTrie, kind: TrieKind, path: string): EntryList {
  const folded = trie.ignoreCase ? path.toLowerCase() : path;
  const key = kind === 'elements' ? folded.replace(/\/+$/, '') : folded;
  return nodeFor(trie.root, key)[kind];
}

/** Takes one list of candidate entries. @returns true to end the walk. */
export type TrieVisitor<T> = (entries: EntryList, context: T) => boolean;

/** Visits the lists of every matching node, from the shortest prefix to the whole path `target[0, end)`. */
export function walkTrie<T>(
  trie: PathTrie,
  target: string,
  end: number,
  visit: TrieVisitor<T>,
  context: T,
): void {
  let node = trie.root;
  let at = 0;
  for (;;) {
    if (!isEmptyList(node.characters) && visit(node.characters, context)) return;
    const boundary = at === end || target.charCodeAt(at) === SLASH;
    if (boundary && !isEmptyList(node.elements) && visit(node.elements, context)) return;
    if (at === end) {
      if (!isEmptyList(node.exact)) visit(node.exact, context);
      return;
    }
    const child = node.children.get(fold(trie, target.charCodeAt(at)));
    if (child === undefined || !hasLabel(trie, child.label, target, at, end)) return;
    at += child.label.length;
    node = child;
  }
}

function hasLabel(trie: PathTrie, label: string, target: string, at: number, end: number): boolean {
  if (at + label.length > end) return false;
  if (!trie.ignoreCase) return target.startsWith(label, at);
  for (let i = 0; i < label.length; i++) {
    if (label.charCodeAt(i) !== fold(trie, target.charCodeAt(at + i))) return false;
  }
  return true;
}

function fold(trie: PathTrie, code: number): number {
  return trie.ignoreCase && code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

function nodeFor(root: TrieNode, key: string): TrieNode {
  let node = root;
  let at = 0;
  while (at < key.length) {
    const code = key.charCodeAt(at);
    const child = node.children.get(code);
    if (child === undefined) {
      const leaf = makeNode(key.slice(at));
      node.children.set(code, leaf);
      return leaf;
    }
    const shared = sharedLength(child.label, key, at);
    node = shared === child.label.length ? child : splitNode(node, child, shared);
    at += shared;
  }
  return node;
}

/** Puts a node in the middle of `child`'s label. */
function splitNode(parent: TrieNode, child: TrieNode, length: number): TrieNode {
  const middle = makeNode(child.label.slice(0, length));
  parent.children.set(middle.label.charCodeAt(0), middle);
  child.label = child.label.slice(length);
  middle.children.set(child.label.charCodeAt(0), child);
  return middle;
}

function sharedLength(label: string, key: string, at: number): number {
  let length = 0;
  while (length < label.length && label.charCodeAt(length) === key.charCodeAt(at + length)) length++;
  return length;
}

function makeNode(label: string): TrieNode {
  const [exact, elements, characters] = [makeEntryList(), makeEntryList(), makeEntryList()];
  return { label, children: new Map(), exact, elements, characters };
}
