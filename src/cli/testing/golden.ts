import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Compares with `src/cli/testdata/<name>.golden`; `UPDATE_GOLDEN=1 tap src/cli` rewrites those. */
export function expectGolden(
  t: { equal: (found: string, wanted: string, message: string) => boolean },
  name: string,
  actual: string,
): void {
  const file = `src/cli/testdata/${name}.golden`;
  if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(file, actual);
  t.equal(actual, existsSync(file) ? readFileSync(file, 'utf8') : '', name);
}
