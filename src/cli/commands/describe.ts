import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { DESCRIBED_KINDS, type DescribedKind, describeTarget } from '../describe/describe-target.ts';
import type { Description } from '../describe/description.ts';
import { renderDescription } from '../describe/render-description.ts';
import { type CommonOptions, withCommonOptions } from '../options.ts';
import { openProxies } from '../proxies.ts';

/** What each is named by, and what is told. */
const HELP: Readonly<Record<DescribedKind, readonly [argument: string, description: string]>> = {
  pod: ['NAMESPACE/POD', 'what a connection to a pod passes: waypoints, routes, policies, mTLS, and why'],
  service: [
    'NAMESPACE/SERVICE',
    'what a connection to a service passes: waypoint, routes, policies, and why',
  ],
  namespace: ['NAMESPACE', 'labels, capture, waypoints and policies of a namespace'],
};

/** `ambientctl describe …`: from what the proxies have in force, and by which labels. */
export function addDescribe(program: Command, cli: Cli): void {
  const group = program.command('describe').description('what applies to something, on every hop, and why');
  for (const kind of DESCRIBED_KINDS) {
    const [argument, description] = HELP[kind];
    const command = group.command(kind).description(description).argument('<name>', argument);
    withCommonOptions(command).action(async (target: string, options: CommonOptions) => {
      if (options.adminAddress !== undefined)
        throw new CliError('describe asks several proxies; give no --admin-address', 2);
      const proxies = await openProxies(options, cli);
      cli.stdout(format(await describeTarget(kind, target, proxies), options));
    });
  }
}

function format(description: Description, { output }: CommonOptions): string {
  switch (output) {
    case 'json':
      return `${JSON.stringify(description, null, 2)}\n`;
    case 'yaml':
      return stringify(description);
    case 'table':
      return renderDescription(description);
  }
}
