import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const ENGINE = 'src/shared/testing/engine.ts';
const IMPORT = /^(?:import|export)\s(?!type\s)[^'"]*?from\s+'([^']+)'/gm;

/** Tests whose subject runs on whichever engine `TEST_ENGINE` names: those that reach its factory through our own files. */
export function engineTests(files: readonly string[]): string[] {
  const known = new Map<string, boolean>();
  return files.filter(file => reaches(normalize(file), known));
}

function reaches(file: string, known: Map<string, boolean>): boolean {
  const before = known.get(file);
  if (before !== undefined) return before;
  // Of a cycle, which lint forbids, the first file answers for all.
  known.set(file, false);
  const found = file === ENGINE || importsOf(file).some(imported => reaches(imported, known));
  known.set(file, found);
  return found;
}

function importsOf(file: string): string[] {
  if (!existsSync(file)) return [];
  const found: string[] = [];
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    if (specifier.startsWith('.')) found.push(join(dirname(file), specifier));
    else if (specifier.startsWith('#shared/'))
      found.push(join('src/shared', specifier.slice('#shared/'.length)));
  }
  return found;
}
