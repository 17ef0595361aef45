import type { Fields } from '../decode.ts';

/** What objects of a kind without `exportTo` are exported to: `*` every namespace, `.` their own, `~` none. */
export interface ExportDefaults {
  readonly serviceEntries: string;
  readonly virtualServices: string;
  readonly destinationRules: string;
}

export const NO_EXPORT_DEFAULTS: ExportDefaults = Object.freeze({
  serviceEntries: '*',
  virtualServices: '*',
  destinationRules: '*',
});

const WORDS = ['*', '.', '~'];

export function readExportDefaults(mesh: Fields): ExportDefaults {
  return {
    serviceEntries: readDefault(mesh, 'defaultServiceExportTo'),
    virtualServices: readDefault(mesh, 'defaultVirtualServiceExportTo'),
    destinationRules: readDefault(mesh, 'defaultDestinationRuleExportTo'),
  };
}

/** What is wrong does not take the rest of the configuration with it. */
function readDefault(mesh: Fields, key: string): string {
  const [word = '*', ...more] = mesh.strings(key);
  if (more.length === 0 && WORDS.includes(word)) return word;
  mesh.ignore(
    key,
    'is not one of "*", ".", "~": objects without exportTo are for their own namespace',
    'write one of them',
  );
  return '.';
}
