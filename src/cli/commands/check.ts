import type { Command } from 'commander';
import { stringify } from 'yaml';
import { INSTALLED_CHECKS, PRE_CHECKS } from '../check/all-checks.ts';
import { type CheckResult, hasFatal, runChecks } from '../check/check.ts';
import { gatherSnapshot } from '../check/gather.ts';
import { checkReport, DOCS_PAGE } from '../check/report.ts';
import type { Cli } from '../cli.ts';
import { FailedCheck } from '../cli-error.ts';
import { type ClusterOptions, withClusterOptions, withOutput } from '../options.ts';
import type { OutputFormat } from '../render/output.ts';

/** `ambientctl check`: what would keep the mesh from working, and where to read on. */
export function addCheck(program: Command, cli: Cli): void {
  const command = program
    .command('check')
    .description('whether the mesh in a cluster is sound; exit status 1 when it is not')
    .option('--pre', 'whether the cluster is ready for an installation');
  withClusterOptions(withOutput(command)).action(
    async (options: ClusterOptions & { output: OutputFormat; pre?: true }) => {
      const cluster = await cli.openCluster(options, cli.env);
      const snapshot = await gatherSnapshot(cluster, cli.now());
      const results = runChecks(options.pre === true ? PRE_CHECKS : INSTALLED_CHECKS, snapshot);
      cli.stdout(format(results, options.output));
      if (hasFatal(results)) throw new FailedCheck();
    },
  );
}

function format(results: readonly CheckResult[], output: OutputFormat): string {
  const data = results.map(r => ({ ...r, link: `${DOCS_PAGE}#${r.id}` }));
  switch (output) {
    case 'json':
      return `${JSON.stringify({ ok: !hasFatal(results), checks: data }, null, 2)}\n`;
    case 'yaml':
      return stringify({ ok: !hasFatal(results), checks: data });
    case 'table':
      return checkReport(results);
  }
}
