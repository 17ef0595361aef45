import { Argument, type Command } from 'commander';
import type { CliIo } from '../cli.ts';
import { bashCompletion, fishCompletion, zshCompletion } from '../render/completion.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** `ambientctl completion SHELL`: made from the tree of commands, so it knows all of them. */
export function addCompletion(program: Command, io: CliIo): void {
  program
    .command('completion')
    .description('script that completes commands and options: source <(ambientctl completion bash)')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action((shell: Shell) => io.stdout(completionScript(shell, program)));
}

export function completionScript(shell: Shell, program: Command): string {
  switch (shell) {
    case 'bash':
      return bashCompletion(program);
    case 'zsh':
      return zshCompletion(program);
    case 'fish':
      return fishCompletion(program);
  }
}
