import { el, type ElementSpec } from './element.ts';

/** Outlines on a field of 16 by 16. */
const ICONS = {
  service: 'M8 1.5 14 5v6l-6 3.5L2 11V5zM2 5l6 3.5L14 5M8 8.5v6',
  workload: 'M2.5 2.5h11v4h-11zM2.5 9.5h11v4h-11zM5 4.5h.01M5 11.5h.01',
  waypoint: 'M8 1.5 13.5 4v4c0 3.3-2.3 5.4-5.5 6.5C4.8 13.4 2.5 11.3 2.5 8V4zM5.5 8l2 2 3.5-4',
  outside: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M1.5 8h13M8 1.5c4 4 4 9 0 13M8 1.5c-4 4-4 9 0 13',
  locked: 'M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
  unlocked: 'M4 7.5h8v6H4zM5.5 7.5V4.5a2.5 2.5 0 0 1 4.8-1',
  refused: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M3.5 3.5l9 9',
  warning: 'M8 2 14.5 13.5h-13zM8 6.5v3M8 11.5h.01',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
} as const;
export type IconName = keyof typeof ICONS;

/** Decoration: what it means is said in words beside it. */
export function icon(name: IconName, size = 16): ElementSpec {
  return el(
    'svg',
    { class: `icon icon-${name}`, width: size, height: size, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    el('path', { d: ICONS[name] }),
  );
}

/** Within another picture. */
export function iconAt(name: IconName, x: number, y: number, size: number): ElementSpec {
  const scale = size / 16;
  return el('path', {
    class: `icon icon-${name}`,
    d: ICONS[name],
    transform: `translate(${x} ${y}) scale(${scale})`,
    'aria-hidden': 'true',
  });
}
