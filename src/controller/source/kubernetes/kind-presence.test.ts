import { test } from 'tap';
import type { KubeResource } from '#shared/kube/resource.ts';
import { KindPresence } from './kind-presence.ts';

function served(...kinds: readonly string[]): ReadonlyMap<string, KubeResource> {
  return new Map(
    kinds.map(text => {
      const [kind = '', version = 'v1'] = text.split('@');
      const resource = { group: 'g', version, kind, plural: `${kind.toLowerCase()}s`, namespaced: true };
      return [kind, resource];
    }),
  );
}

test('kinds come, and go when they are missed twice', t => {
  const presence = new KindPresence();
  const names = (look: string[]): unknown => {
    const { came, doubtful, went } = presence.onLook(served(...look));
    return { came: came.map(({ kind, version }) => `${kind}@${version}`), went, doubtful };
  };
  t.same(names(['Gateway', 'HTTPRoute']), {
    came: ['Gateway@v1', 'HTTPRoute@v1'],
    went: [],
    doubtful: false,
  });
  t.same(names(['Gateway', 'HTTPRoute']), { came: [], went: [], doubtful: false });
  t.same(names(['Gateway']), { came: [], went: [], doubtful: true }, 'missed once');
  t.same(names(['Gateway', 'HTTPRoute']), { came: [], went: [], doubtful: false }, 'it was a false alarm');
  t.same(names(['Gateway']), { came: [], went: [], doubtful: true });
  t.same(names(['Gateway']), { came: [], went: ['HTTPRoute'], doubtful: false });
  t.same(names(['Gateway@v2', 'HTTPRoute']), {
    came: ['Gateway@v2', 'HTTPRoute@v1'],
    went: [],
    doubtful: false,
  });
  t.end();
});
