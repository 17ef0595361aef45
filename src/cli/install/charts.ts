import { cpSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../cli-error.ts';

const UMBRELLA = 'ambient';
const PARTS = ['base', 'controller', 'ztunnel'];

/** Beside the bundle, and in a checkout. */
const PLACES = [join(import.meta.dirname, 'charts'), join(import.meta.dirname, '..', '..', '..', 'charts')];

/** A copy of the umbrella chart with its parts inside, as Helm wants them. The caller removes it. @returns its directory */
export function stageCharts(given: string | undefined): string {
  const places = given === undefined ? PLACES : [given];
  const found = places.find(place => existsSync(join(place, UMBRELLA, 'Chart.yaml')));
  if (found === undefined)
    throw new CliError(
      `no charts in ${places.join(' or ')}; give --charts DIR, which holds ${UMBRELLA}/Chart.yaml`,
    );
  const staged = mkdtempSync(join(tmpdir(), 'ambient-charts-'));
  cpSync(join(found, UMBRELLA), staged, { recursive: true });
  for (const part of PARTS) cpSync(join(found, part), join(staged, 'charts', part), { recursive: true });
  return staged;
}
