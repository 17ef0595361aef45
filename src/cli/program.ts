import { Command, CommanderError } from 'commander';
import { VERSION } from '#shared/config/version.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { callHint } from './call-hints.ts';
import type { Cli, CliIo, Platform } from './cli.ts';
import { CliError, FailedCheck } from './cli-error.ts';
import { kubeconfigFiles } from './cluster/kube-config.ts';
import type { OpenCluster } from './cluster/open-cluster.ts';
import { addAnalyze } from './commands/analyze.ts';
import { addAuthz } from './commands/authz-check.ts';
import { addCheck } from './commands/check.ts';
import { addCompletion } from './commands/completion.ts';
import { addDashboard } from './commands/dashboard.ts';
import { addNamespaceCommands } from './commands/namespace.ts';
import { addPlaygroundCommands } from './commands/playground.ts';
import { addDescribe } from './commands/describe.ts';
import { addInstall } from './commands/install.ts';
import { addLogs } from './commands/logs.ts';
import { addNames } from './commands/names.ts';
import { addProxyStatus } from './commands/proxy-status.ts';
import { addStat } from './commands/stat.ts';
import { addTap } from './commands/tap.ts';
import { addVersion } from './commands/version.ts';
import { addWaypointCommands } from './commands/waypoint/waypoint.ts';
import { addZtunnelConfig } from './commands/ztunnel-config.ts';
import { PlaygroundProxies } from './playground-proxies.ts';
import { singleLine } from './single-line.ts';

/** Runs one command line. Never throws: what goes wrong is one line on stderr. @returns the exit status. */
export async function runCli(argv: readonly string[], io: CliIo, platform: Platform): Promise<number> {
  const program = buildProgram({ ...io, ...platform, openCluster: openClusterOrSay(platform) });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof FailedCheck) return 1;
    if (error instanceof CommanderError) {
      const hint = callHint(error, program, argv);
      if (isMisunderstood(error))
        io.stderr(oneLine(hint === '' ? error.message : `${error.message.replace(/\.$/, '')}; ${hint}`));
      return error.exitCode === 0 ? 0 : 2;
    }
    io.stderr(oneLine(errorMessage(error)));
    return error instanceof CliError ? error.exitCode : 1;
  }
}

/** Who tries the mesh on one machine may ask for what only a cluster has. */
function openClusterOrSay(platform: Platform): OpenCluster {
  return async (choice, env) => {
    const { dir } = new PlaygroundProxies(undefined, env);
    if (kubeconfigFiles(choice, env).length === 0 && platform.isPlaygroundRunning(dir))
      throw new CliError(
        'this command is for a cluster, and there is no kubeconfig; of the playground on this machine tell: ambientctl playground status, proxy-status, analyze, describe',
      );
    return platform.openCluster(choice, env);
  };
}

export function buildProgram(cli: Cli): Command {
  const program = new Command('ambientctl')
    .description('Installs, shows and debugs an ambient mesh.')
    .version(VERSION, '--version', 'the version of this client')
    .exitOverride()
    .configureOutput({
      writeOut: cli.stdout,
      writeErr: cli.stderr,
      // Said by runCli, with what to type in its place.
      outputError: () => undefined,
    })
    .showSuggestionAfterError();
  addInstall(program, cli);
  addCheck(program, cli);
  addAnalyze(program, cli);
  addZtunnelConfig(program, cli);
  addDescribe(program, cli);
  addProxyStatus(program, cli);
  addStat(program, cli);
  addTap(program, cli);
  addDashboard(program, cli);
  addLogs(program, cli);
  addAuthz(program, cli);
  addWaypointCommands(program, cli);
  addNamespaceCommands(program, cli);
  addVersion(program, cli);
  addPlaygroundCommands(program, cli);
  addNames(program, cli);
  addCompletion(program, cli);
  return program;
}

/** Help and the version end it by an error too, which is no message. */
function isMisunderstood({ code }: CommanderError): boolean {
  return !['commander.help', 'commander.helpDisplayed', 'commander.version'].includes(code);
}

/** Commander and others break some messages over lines; an operator's terminal gets one. */
function oneLine(text: string): string {
  return `ambientctl: ${singleLine(text.trim())}\n`;
}
