import type { DescriptionReply, HopLine } from '#shared/dashboard/frames.ts';
import type { Actions, DescriptionState } from './context.ts';
import { el, type ElementSpec } from './element.ts';
import { icon } from './icons.ts';
import { chip } from './parts.ts';
import { factsView } from './selection-view.ts';

/** What applies to it, hop by hop: as `ambientctl describe` has it. */
export function descriptionView(description: DescriptionState, actions: Actions): ElementSpec {
  return el(
    'section',
    { key: 'description', class: 'description', 'aria-label': 'What applies' },
    el(
      'h2',
      {},
      'What applies to it',
      el(
        'button',
        { type: 'button', class: 'quiet', on: { click: () => actions.describeAgain() } },
        'ask again',
      ),
    ),
    ...bodyOf(description),
  );
}

function bodyOf(description: DescriptionState): ElementSpec[] {
  switch (description.state) {
    case 'none':
    case 'asked':
      return [el('p', { class: 'quiet' }, 'Asking the proxies that a connection to it passes…')];
    case 'failed':
      return [el('p', { class: 'reason' }, description.why)];
    case 'there':
      return replyView(description.reply);
  }
}

function replyView({ facts, hops, hopsTitle, warnings }: DescriptionReply): ElementSpec[] {
  return [
    ...warnings.map(text => el('p', { key: text, class: 'warned' }, icon('warning'), ' ', text)),
    factsView(facts.map(({ name, value }) => [name, value] as const)),
    el('h3', {}, hopsTitle),
    el('ol', { class: 'hops' }, ...hops.map((hop, i) => hopView(hop, i))),
  ];
}

function hopView({ facts, name, policies, routes, verdict, why }: HopLine, i: number): ElementSpec {
  return el(
    'li',
    { key: String(i) },
    el('strong', {}, name),
    el('p', { class: 'quiet' }, why),
    ...(facts.length === 0 ? [] : [factsView(facts.map(f => [f.name, f.value] as const))]),
    ...(routes.length === 0
      ? []
      : [
          el(
            'ul',
            { key: 'routes' },
            ...routes.map(route =>
              el(
                'li',
                { key: route.name },
                chip(route.state === 'accepted' ? 'good' : 'plain', 'route'),
                el('code', {}, route.name),
                ` port ${route.ports} → ${route.backends}`,
                ...(route.state === '-' ? [] : [` (${route.state})`]),
              ),
            ),
          ),
        ]),
    ...(policies === null || policies.length === 0
      ? []
      : [
          el(
            'ul',
            { key: 'policies' },
            ...policies.map(policy =>
              el(
                'li',
                { key: policy.name },
                chip(
                  policy.action === 'deny' ? 'bad' : policy.action === 'allow' ? 'good' : 'plain',
                  policy.action.toUpperCase(),
                ),
                el('code', {}, policy.name),
                ` ${policy.scope.replaceAll('_', ' ')}${policy.dryRun ? ' (dry run)' : ''}`,
              ),
            ),
          ),
        ]),
    ...(verdict === '' ? [] : [el('p', { key: 'verdict', class: 'verdict' }, verdict)]),
  );
}
