/** What became of each test of the official suite, read from the output of its test binary (`go test -v`). */
export interface SuiteResult {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

const LINE = /^\s*--- (PASS|FAIL|SKIP): TestConformance\/([^\s/]+) \(/;

/** Only the tests themselves: what is below one is part of it. */
export function readSuiteOutput(output: string): SuiteResult {
  const found = { PASS: new Set<string>(), FAIL: new Set<string>(), SKIP: new Set<string>() };
  for (const line of output.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, verdict, name = ''] = match;
    if (verdict === 'PASS' || verdict === 'FAIL' || verdict === 'SKIP') found[verdict].add(name);
  }
  const sorted = (names: ReadonlySet<string>): readonly string[] => [...names].sort();
  return { passed: sorted(found.PASS), failed: sorted(found.FAIL), skipped: sorted(found.SKIP) };
}

/** The suite skips every test of another profile: only a mesh test that did not run is a lack of ours. */
function isMeshTest(name: string): boolean {
  return name.startsWith('Mesh');
}

export function verdict(
  result: SuiteResult,
  expected: number,
): { readonly ok: boolean; readonly line: string } {
  const skipped = result.skipped.filter(isMeshTest);
  const passed = result.passed.filter(isMeshTest);
  const counts = `${passed.length} passed, ${result.failed.length} failed`;
  const line = skipped.length > 0 ? `${counts}, ${skipped.length} skipped` : counts;
  const ok = result.failed.length === 0 && skipped.length === 0 && passed.length === expected;
  return { ok, line };
}
