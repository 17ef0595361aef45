import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Cli } from '../cli.ts';
import { CliError } from '../cli-error.ts';
import { type ApiFacts, gatherApiFacts } from '../describe/api-facts.ts';
import { chooseNamespace, describeNamespace } from '../describe/describe-namespace.ts';
import { choosePod, describePod } from '../describe/describe-pod.ts';
import { chooseService, describeService } from '../describe/describe-service.ts';
import type { Description } from '../describe/description.ts';
import { gatherFacts, type MeshFacts, type Wanted } from '../describe/mesh-facts.ts';
import { renderDescription } from '../describe/render-description.ts';
import { type CommonOptions, withCommonOptions } from '../options.ts';
import { openProxies } from '../proxies.ts';

interface Kind {
  readonly name: string;
  readonly argument: string;
  readonly description: string;
  readonly choose: (target: string) => (all: Wanted) => Wanted;
  readonly describe: (target: string, facts: MeshFacts, api: ApiFacts | undefined) => Description;
}

const KINDS: readonly Kind[] = [
  {
    name: 'pod',
    argument: 'NAMESPACE/POD',
    description: 'what a connection to a pod passes: waypoints, routes, policies, mTLS, and why',
    choose: choosePod,
    describe: describePod,
  },
  {
    name: 'service',
    argument: 'NAMESPACE/SERVICE',
    description: 'what a connection to a service passes: waypoint, routes, policies, and why',
    choose: chooseService,
    describe: describeService,
  },
  {
    name: 'namespace',
    argument: 'NAMESPACE',
    description: 'labels, capture, waypoints and policies of a namespace',
    choose: chooseNamespace,
    describe: describeNamespace,
  },
];

/** `ambientctl describe …`: from what the proxies have in force, and by which labels. */
export function addDescribe(program: Command, cli: Cli): void {
  const group = program.command('describe').description('what applies to something, on every hop, and why');
  for (const kind of KINDS) {
    const command = group.command(kind.name).description(kind.description).argument('<name>', kind.argument);
    withCommonOptions(command).action(async (target: string, options: CommonOptions) => {
      if (options.adminAddress !== undefined)
        throw new CliError('describe asks several proxies; give no --admin-address', 2);
      const proxies = await openProxies(options, cli);
      const facts = await gatherFacts(await proxies.list(), kind.choose(target));
      const api =
        proxies.api === undefined ? undefined : await gatherApiFacts(proxies.api, target.split('/')[0] ?? '');
      cli.stdout(format(kind.describe(target, facts, api), options));
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
