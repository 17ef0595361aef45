import type { Command } from 'commander';
import { programTree } from '../cli/testing/test-cli.ts';

const PROGRAM = programTree();

/** What is wrong with a command line of ambientctl; undefined when it could be run. */
export function commandFault(line: string): string | undefined {
  const words = line.split(/\s+/).slice(1);
  let command: Command = PROGRAM;
  while (command.commands.length > 0 && words.length > 0) {
    const word = words.shift() ?? '';
    // `ztunnel-config workloads|services` and the like stand for several.
    const [name = ''] = word.split('|');
    const found = command.commands.find(c => c.name() === name || c.aliases().includes(name));
    if (found === undefined) return `no command ${word}`;
    command = found;
  }
  const untilDashes = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  const unknown = untilDashes
    .filter(word => /^--?[a-z]/.test(word))
    .find(word => !command.options.some(option => option.short === word || option.long === word));
  return unknown === undefined ? undefined : `no option ${unknown}`;
}
