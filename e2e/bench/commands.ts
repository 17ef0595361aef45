/** What `npm run bench -- …` knows. */
export const SUITE_COMMANDS = ['l4', 'l7', 'l7-plain', 'storm', 'idle'] as const;
export const BENCH_COMMANDS = [...SUITE_COMMANDS, 'streams', 'growth', 'mesh-size', 'cluster'] as const;
export type SuiteCommand = (typeof SUITE_COMMANDS)[number];
