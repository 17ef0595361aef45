import { nodePlatform } from './cli.ts';
import { endWithOutput } from './output-end.ts';
import { printable } from './printable.ts';
import { runCli } from './program.ts';

const io = {
  stdout: (text: string) => void process.stdout.write(printable(text)),
  stderr: (text: string) => void process.stderr.write(printable(text)),
};
endWithOutput(process.stdout, io.stderr, status => process.exit(status));
process.exitCode = await runCli(process.argv.slice(2), io, nodePlatform());
