import { type Check, noneOf, unknown } from '../check.ts';
import { answered } from '../cluster-snapshot.ts';

/** How a process says it in `warnings` of its `/config_dump`. */
const NOT_KEPT = 'state not kept';

export const STATE_WRITTEN_CHECK: Omit<Check, 'category'> = {
  id: 'state-written',
  description: 'proxies and controllers can write down what a restart begins with',
  severity: 'warning',
  run: snapshot => {
    const told = answered(snapshot);
    if (told.length === 0) return unknown('nobody answered');
    return noneOf(
      told.flatMap(({ dump, ref }) =>
        dump.warnings.filter(w => w.startsWith(NOT_KEPT)).map(w => `${ref.kind} ${ref.name}: ${w}`),
      ),
      `${told.length} processes`,
    );
  },
};
