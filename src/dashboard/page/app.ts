import type { DetailFrame, Frame } from '#shared/dashboard/frames.ts';
import { isDescription, isFrame, isTapEvent, isTapNote } from '#shared/dashboard/frame-guards.ts';
import { readRoute, type Route, routeHash, viewQuery } from '../data/route.ts';
import type { Actions, PageState } from './context.ts';
import { detailView } from './detail-view.ts';
import { el, type ElementSpec, patch } from './element.ts';
import { graphView } from './graph-view.ts';
import { LiveStream } from './live-stream.ts';
import { emptyView } from './parts.ts';
import { problemsView } from './problems-view.ts';
import { bannersView, footerView, headerView } from './shell-view.ts';
import { tablesView } from './tables-view.ts';

const DESCRIBE_AGAIN_MS = 15_000;
const COPIED_MS = 2_000;
const MAX_TAPPED = 200;
const NO_TAP: PageState['tap'] = {
  isOn: false,
  of: '',
  filter: { method: '', path: '', status: '', source: '' },
  events: [],
  note: '',
};

/** The page: its state, what changes it, and how it is shown. */
export class App {
  readonly #root: Element;
  readonly #token: string;
  #state: PageState;
  #live: LiveStream | undefined;
  #tap: LiveStream | undefined;
  #asked = '';
  #describeTimer: ReturnType<typeof setTimeout> | undefined;
  #isDrawing = false;

  constructor(root: Element, token: string) {
    this.#root = root;
    this.#token = token;
    this.#state = {
      route: readRoute(location.hash),
      frame: undefined,
      stream: { state: 'connecting', why: '' },
      ...sizeOf(root),
      graph: { label: 'rate', withIdle: true, zoom: undefined, selected: undefined },
      sorting: new Map(),
      description: { state: 'none' },
      pod: '',
      tap: NO_TAP,
      copied: '',
    };
  }

  start(): void {
    addEventListener('hashchange', () => this.#follow(readRoute(location.hash)));
    new ResizeObserver(() => this.#resize()).observe(this.#root);
    addEventListener('resize', () => this.#resize());
    // A page that nobody sees needs no news; and a browser has few connections for all of them.
    document.addEventListener('visibilitychange', () => this.#listen());
    this.#listen();
    this.#draw();
  }

  readonly #actions: Actions = {
    go: route => {
      // What is typed does not fill the history.
      const isSame = route.page === this.#state.route.page && route.filter !== this.#state.route.filter;
      if (!isSame) {
        location.hash = routeHash(route);
        return;
      }
      history.replaceState(null, '', routeHash(route));
      this.#follow(route);
    },
    graph: change => this.#change({ graph: { ...this.#state.graph, ...change } }),
    sort: (table, sorting) => this.#change({ sorting: new Map(this.#state.sorting).set(table, sorting) }),
    choosePod: pod => {
      this.#change({ pod, description: { state: 'none' } });
      void this.#describe();
    },
    describeAgain: () => void this.#describe(),
    tapFilter: change => {
      const { tap } = this.#state;
      this.#change({ tap: { ...tap, filter: { ...tap.filter, ...change } } });
    },
    tapOf: of => this.#change({ tap: { ...this.#state.tap, of } }),
    tap: isOn => (isOn ? this.#startTap() : this.#stopTap('')),
    copy: text => void this.#copy(text),
  };

  #follow(route: Route): void {
    const before = this.#state.route;
    const isSameView = viewQuery(route).toString() === viewQuery(before).toString();
    if (isSameView) {
      this.#change({ route });
      return;
    }
    if (route.page !== 'detail' && route.page === before.page) {
      // The old picture is better than none until the new one comes.
      this.#change({ route });
      this.#listen();
      return;
    }
    this.#stopTap('');
    this.#change({
      route,
      frame: undefined,
      graph: { ...this.#state.graph, selected: undefined },
      description: { state: 'none' },
      pod: '',
      tap: { ...NO_TAP, filter: this.#state.tap.filter },
    });
    this.#listen();
    scrollTo(0, 0);
  }

  /** To the view that is shown, and to no other. */
  #listen(): void {
    const query = document.hidden ? '' : viewQuery(this.#state.route).toString();
    if (query === this.#asked) return;
    this.#asked = query;
    this.#live?.close();
    this.#live = undefined;
    if (query === '') return;
    const options = { url: `/api/live?${query}`, token: this.#token, isOnce: false };
    this.#live = new LiveStream(options, {
      onData: data => this.#onFrame(data, query),
      onState: stream => this.#change({ stream }),
    });
  }

  #onFrame(data: unknown, query: string): void {
    if (query !== this.#asked) return;
    if (!isFrame(data)) {
      const why = 'the dashboard is of another version than this page: load it again';
      this.#change({ stream: { state: 'over', why } });
      return;
    }
    this.#change({ frame: data });
    if (data.view === 'detail' && this.#state.description.state === 'none') void this.#describe();
  }

  async #describe(): Promise<void> {
    const { frame, route } = this.#state;
    if (route.page !== 'detail' || frame?.view !== 'detail' || frame.node === null) return;
    clearTimeout(this.#describeTimer);
    const pod = route.by === 'workload' ? this.#podOf(frame) : '';
    const namespace = route.name.split('/')[0] ?? '';
    const query = new URLSearchParams(
      route.by === 'service'
        ? { kind: 'service', name: route.name }
        : { kind: 'pod', name: `${namespace}/${pod}` },
    );
    if (this.#state.description.state !== 'there') this.#change({ pod, description: { state: 'asked' } });
    const description = await this.#fetchDescription(query);
    const isStill = this.#state.route.page === 'detail' && this.#state.route.name === route.name;
    if (!isStill || (route.by === 'workload' && this.#state.pod !== pod)) return;
    this.#change({ description });
    this.#describeTimer = setTimeout(() => void this.#describe(), DESCRIBE_AGAIN_MS);
  }

  #podOf({ pods }: DetailFrame): string {
    const chosen = pods.find(p => p.name === this.#state.pod);
    return (chosen ?? pods[0])?.name ?? '';
  }

  async #fetchDescription(query: URLSearchParams): Promise<PageState['description']> {
    try {
      const headers = { authorization: `Bearer ${this.#token}` };
      const response = await fetch(`/api/describe?${query.toString()}`, { headers, cache: 'no-store' });
      if (!response.ok) return { state: 'failed', why: (await response.text()).trim() };
      const reply: unknown = await response.json();
      return isDescription(reply)
        ? { state: 'there', reply }
        : { state: 'failed', why: 'the dashboard is of another version than this page: load it again' };
    } catch {
      return { state: 'failed', why: 'the dashboard does not answer' };
    }
  }

  #startTap(): void {
    const { route, tap } = this.#state;
    if (route.page !== 'detail') return;
    const query = new URLSearchParams(tapQuery(route, tap));
    this.#tap?.close();
    this.#change({ tap: { ...tap, isOn: true, events: [], note: '' } });
    const options = { url: `/api/tap?${query.toString()}`, token: this.#token, isOnce: true };
    this.#tap = new LiveStream(options, {
      onData: data => this.#onTapped(data),
      onState: state => {
        if (state.state === 'over') this.#stopTap(state.why);
      },
    });
  }

  #stopTap(why: string): void {
    this.#tap?.close();
    this.#tap = undefined;
    const { tap } = this.#state;
    if (!tap.isOn) return;
    const note = why === '' || tap.note !== '' ? tap.note : `Ended: ${why}.`;
    this.#change({ tap: { ...tap, isOn: false, note } });
  }

  #onTapped(data: unknown): void {
    const { tap } = this.#state;
    if (isTapNote(data)) this.#change({ tap: { ...tap, note: data.note } });
    if (!isTapEvent(data)) return;
    const known = tap.events.findIndex(e => e.key === data.key);
    const events = known < 0 ? [data, ...tap.events].slice(0, MAX_TAPPED) : tap.events.with(known, data);
    this.#change({ tap: { ...tap, events } });
  }

  async #copy(text: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without the right to it the text stands there to be selected.
      return;
    }
    this.#change({ copied: text });
    setTimeout(() => {
      if (this.#state.copied === text) this.#change({ copied: '' });
    }, COPIED_MS);
  }

  #resize(): void {
    const { height, width } = sizeOf(this.#root);
    if (height !== this.#state.height || width !== this.#state.width) this.#change({ height, width });
  }

  #change(change: Partial<PageState>): void {
    this.#state = { ...this.#state, ...change };
    this.#draw();
  }

  /** Once a picture, however much has changed. */
  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      patch(this.#root, this.#page());
    });
  }

  #page(): ElementSpec[] {
    const { frame } = this.#state;
    document.title = titleOf(this.#state.route, frame);
    return [
      headerView(this.#state, this.#actions),
      el('div', { key: 'banners', class: 'banners' }, ...bannersView(this.#state)),
      el('main', { key: 'main', id: 'main', tabindex: -1 }, ...this.#main(frame)),
      footerView(this.#state),
    ];
  }

  #main(frame: Frame | undefined): ElementSpec[] {
    const { route, stream } = this.#state;
    if (frame === undefined)
      return stream.state === 'unknown'
        ? []
        : [emptyView('One moment…', 'The dashboard is asked what there is to see.')];
    switch (frame.view) {
      case 'graph':
        return route.page === 'graph' ? graphView(frame, route, this.#state, this.#actions) : [];
      case 'detail':
        return route.page === 'detail' ? detailView(frame, route, this.#state, this.#actions) : [];
      case 'problems':
        return problemsView(frame, this.#state, this.#actions);
      default:
        return tablesView(frame, this.#state, this.#actions);
    }
  }
}

/** Without the bar that scrolls it. */
function sizeOf(root: Element): { readonly width: number; readonly height: number } {
  return { width: root.clientWidth, height: innerHeight };
}

/** Of a service its requests; of a workload those of a service of it, or those that it sends. */
function tapQuery(
  route: Extract<Route, { readonly page: 'detail' }>,
  tap: PageState['tap'],
): Record<string, string> {
  const [namespace = '', name = ''] = route.name.split('/');
  if (route.by === 'service') return { ...tap.filter, service: name, namespace };
  if (tap.of === '') return { ...tap.filter, source: name, sourceNamespace: namespace };
  const [ofNamespace = '', service = ''] = tap.of.split('/');
  return { ...tap.filter, service, namespace: ofNamespace };
}

function titleOf(route: Route, frame: Frame | undefined): string {
  const what = route.page === 'detail' ? route.name : route.page;
  const errors = frame === undefined || frame.head.errorCount === 0 ? '' : `(${frame.head.errorCount}) `;
  return `${errors}${what} – ambient mesh`;
}
