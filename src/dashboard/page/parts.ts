import type { GraphKind } from '#shared/dashboard/frames.ts';
import { type Route, routeHash } from '../data/route.ts';
import { commandsOf } from '../data/commands.ts';
import { shortIdentity } from '../format/figures.ts';
import type { Actions, PageState } from './context.ts';
import { type Child, el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';

/** `shop/payments`, which leads to its page. */
export function nodeLink(by: GraphKind, name: string, { namespace }: Route, text = name): ElementSpec {
  return el('a', { href: routeHash({ page: 'detail', by, name, namespace, filter: '' }), title: name }, text);
}

export function identityView(identity: string): ElementSpec {
  return el('code', { key: identity, class: 'identity', title: identity }, shortIdentity(identity));
}

export type Tone = 'good' | 'warning' | 'bad' | 'idle' | 'plain';

/** A word with a colour: the word says it too. */
export function chip(tone: Tone, ...text: readonly Child[]): ElementSpec {
  return el('span', { class: `chip ${tone}` }, ...text);
}

/** Nothing is there: why, and what to do. */
export function emptyView(title: string, ...next: readonly Child[]): ElementSpec {
  return el('div', { key: 'empty', class: 'empty' }, el('h2', {}, title), el('p', {}, ...next));
}

export function leftOutView(leftOut: number): ElementSpec[] {
  if (leftOut === 0) return [];
  return [
    el(
      'p',
      { key: 'left-out', class: 'quiet' },
      `${leftOut} more are left out: choose a namespace, or filter.`,
    ),
  ];
}

/** The same in a terminal. */
export function commandsView(state: PageState, actions: Actions): ElementSpec {
  const head = state.frame?.head;
  const place = { options: head?.cliOptions ?? '', isCluster: head?.isCluster ?? true, pod: state.pod };
  return el(
    'section',
    { key: 'commands', class: 'commands', 'aria-label': 'The same in a terminal' },
    el('h2', {}, 'The same in a terminal'),
    el(
      'ul',
      {},
      ...commandsOf(state.route, place).map(({ command, what }) =>
        el(
          'li',
          { key: command },
          el('span', { class: 'what' }, what),
          el('code', {}, command),
          el(
            'button',
            { type: 'button', class: 'quiet', on: { click: () => actions.copy(command) } },
            icon('copy', 14),
            state.copied === command ? 'copied' : 'copy',
          ),
        ),
      ),
    ),
  );
}
