/** What a piece of the page is to be: a description, from which the page is brought to that state. */
export interface ElementSpec {
  readonly tag: string;
  /** Which of its siblings it is, so that it stays itself when others come and go. */
  readonly key: string | undefined;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly on: Handlers;
  readonly children: readonly Child[];
}

/** Absent when undefined or false, empty when true. */
type AttributeValue = string | number | boolean | undefined;
type Handlers = Readonly<Record<string, (event: Event) => void>>;

/** Text is text, whatever it holds: nothing here makes markup of a string. */
export type Child = ElementSpec | string;

export interface Properties {
  readonly key?: string;
  readonly on?: Handlers;
  readonly [attribute: string]: AttributeValue | Handlers;
}

/** `el('button', { class: 'copy', on: { click } }, 'copy')`. */
export function el(tag: string, properties: Properties = {}, ...children: readonly Child[]): ElementSpec {
  const { key, on = {}, ...rest } = properties;
  const attributes: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(rest)) if (typeof value !== 'object') attributes[name] = value;
  return { tag, key, attributes, on, children };
}

export function childrenOf(content: Child | readonly Child[]): readonly Child[] {
  return isList(content) ? content : [content];
}

function isList(content: Child | readonly Child[]): content is readonly Child[] {
  return Array.isArray(content);
}

const SVG = 'http://www.w3.org/2000/svg';

interface Kept {
  readonly spec: ElementSpec;
}

/** What an element was last brought to. */
const KEPT = new WeakMap<Element, Kept>();

/** Brings the children of `parent` to this state. What stays is the same element: focus, scrolling and selections stay too. */
export function patch(parent: Element, children: readonly Child[]): void {
  const old = [...parent.childNodes];
  const byKey = new Map(
    old.flatMap(node => (keyOf(node) === undefined ? [] : [[keyOf(node), node] as const])),
  );
  const loose = old.filter(node => keyOf(node) === undefined);
  const used = new Set<Node>();
  let place: Node | null = parent.firstChild;
  for (const child of children) {
    const candidate =
      typeof child !== 'string' && child.key !== undefined
        ? byKey.get(child.key)
        : loose.find(node => !used.has(node) && fits(node, child));
    const node = candidate !== undefined && fits(candidate, child) ? candidate : create(parent, child);
    used.add(node);
    update(node, child);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old) if (!used.has(node)) node.remove();
}

function keyOf(node: Node): string | undefined {
  return node instanceof Element ? KEPT.get(node)?.spec.key : undefined;
}

function fits(node: Node, child: Child): boolean {
  if (typeof child === 'string') return node instanceof Text;
  return node instanceof Element && KEPT.get(node)?.spec.tag === child.tag;
}

function create(parent: Element, child: Child): Node {
  if (typeof child === 'string') return document.createTextNode(child);
  const isSvg = child.tag === 'svg' || (parent.namespaceURI === SVG && parent.localName !== 'foreignObject');
  return isSvg ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
}

function update(node: Node, child: Child): void {
  if (typeof child === 'string') {
    if (node.nodeValue !== child) node.nodeValue = child;
    return;
  }
  if (!(node instanceof Element)) return;
  const before = KEPT.get(node)?.spec;
  KEPT.set(node, { spec: child });
  for (const name of Object.keys(before?.attributes ?? {}))
    if (!(name in child.attributes)) node.removeAttribute(name);
  for (const [name, value] of Object.entries(child.attributes)) setAttribute(node, name, value, before);
  for (const type of Object.keys(child.on))
    if (before?.on[type] === undefined) node.addEventListener(type, dispatch);
  patch(node, child.children);
}

function setAttribute(
  node: Element,
  name: string,
  value: AttributeValue,
  before: ElementSpec | undefined,
): void {
  if (before?.attributes[name] === value) return;
  if (value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? '' : String(value));
  // What a user has changed follows its property, not its attribute.
  if (name === 'value' && node instanceof HTMLInputElement) node.value = String(value ?? '');
  if (name === 'selected' && node instanceof HTMLOptionElement) node.selected = value === true;
  if (name === 'checked' && node instanceof HTMLInputElement) node.checked = value === true;
}

/** One listener for whatever the handler is now. */
function dispatch(event: Event): void {
  if (event.currentTarget instanceof Element) KEPT.get(event.currentTarget)?.spec.on[event.type]?.(event);
}
