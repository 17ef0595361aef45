import type { Command, CommanderError } from 'commander';

/** Commands of istioctl and linkerd that people type here, and what does the same. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  [
    'proxy-config',
    'of a ztunnel: ambientctl ztunnel-config; of a waypoint: ambientctl describe service NAMESPACE/NAME',
  ],
  [
    'pc',
    'of a ztunnel: ambientctl ztunnel-config; of a waypoint: ambientctl describe service NAMESPACE/NAME',
  ],
  ['experimental', 'its commands are here without it: ambientctl describe, authz, waypoint'],
  ['x', 'its commands are here without it: ambientctl describe, authz, waypoint'],
  ['inject', 'nothing is injected here: ambientctl namespace add NAME'],
  ['kube-inject', 'nothing is injected here: ambientctl namespace add NAME'],
  ['upgrade', 'the same command installs and upgrades: ambientctl install'],
  ['viz', 'its commands are here without it: ambientctl stat, ambientctl tap, ambientctl dashboard'],
  ['top', 'rates and latencies: ambientctl stat; single requests: ambientctl tap'],
  ['edges', 'who is connected to whom: ambientctl ztunnel-config connections'],
  ['identity', 'certificates: ambientctl ztunnel-config certificates'],
  ['diagnostics', 'what applies to something, on every hop: ambientctl describe'],
  ['status', 'of the whole mesh: ambientctl check; of proxies: ambientctl proxy-status'],
  ['get', 'objects: kubectl get; what proxies know: ambientctl ztunnel-config'],
]);

/** What to type in place of a command line that was not understood; empty where its own message says it. */
export function callHint(error: CommanderError, program: Command, argv: readonly string[]): string {
  const { command, rest } = commandOf(program, argv);
  const [word = ''] = rest;
  switch (error.code) {
    case 'commander.unknownCommand':
      return ELSEWHERE.get(word) ?? `commands: ${command.commands.map(c => c.name()).join(', ')}`;
    case 'commander.unknownOption':
      if (command === program) return 'options stand after the command: ambientctl COMMAND OPTIONS';
      return `see: ${pathOf(command)} --help`;
    case 'commander.missingArgument':
    case 'commander.excessArguments':
      return usageOf(command);
    default:
      return '';
  }
}

/** `usage: ambientctl describe pod <name>; <name> is NAMESPACE/POD`. */
function usageOf(command: Command): string {
  const names = command.registeredArguments.map(argument => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return { shown: argument.required ? `<${name}>` : `[${name}]`, means: argument.description };
  });
  const usage = [pathOf(command), ...names.map(({ shown }) => shown)].join(' ');
  return [`usage: ${usage}`, ...names.map(({ shown, means }) => `${shown} is ${means}`)].join('; ');
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** How far the words are names of commands. */
function commandOf(
  program: Command,
  argv: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } {
  const [word = '', ...rest] = argv;
  const below = program.commands.find(c => c.name() === word || c.aliases().includes(word));
  return below === undefined ? { command: program, rest: argv } : commandOf(below, rest);
}
