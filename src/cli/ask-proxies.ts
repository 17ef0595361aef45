import { CliError, cliErrorOf } from './cli-error.ts';
import type { CliIo } from './cli.ts';
import type { ProxyRef } from './proxies.ts';

export interface Answer<T> {
  readonly proxy: ProxyRef;
  readonly answer: T;
}

/**
 * The answers of those that answer, in the order of `proxies`. A node that is down must not keep an operator from seeing the others: each that fails
 * is a warning.
 * @throws CliError of the first when none answers
 */
export async function askEach<T>(
  proxies: readonly ProxyRef[],
  ask: (proxy: ProxyRef) => Promise<T>,
  io: CliIo,
): Promise<readonly Answer<T>[]> {
  const outcomes = await Promise.allSettled(
    proxies.map(async proxy => ({ proxy, answer: await ask(proxy) })),
  );
  const answers = outcomes.flatMap(o => (o.status === 'fulfilled' ? [o.value] : []));
  const failures = outcomes.flatMap(o => (o.status === 'rejected' ? [cliErrorOf(o.reason)] : []));
  const [first] = failures;
  if (answers.length === 0 && first !== undefined) throw first;
  for (const { message } of failures) warn(message, io);
  return answers;
}

/**
 * What the first says that answers: for what all of a kind know. They are asked one after the other.
 * @throws CliError of the first when none answers
 */
export async function askFirst<T>(
  proxies: readonly ProxyRef[],
  ask: (proxy: ProxyRef) => Promise<T>,
  io: CliIo,
): Promise<Answer<T>> {
  const failures: CliError[] = [];
  for (const proxy of proxies) {
    try {
      const answer = await ask(proxy);
      for (const { message } of failures) warn(message, io);
      return { proxy, answer };
    } catch (error) {
      failures.push(cliErrorOf(error));
    }
  }
  throw failures[0] ?? new CliError('no proxy is running');
}

function warn(message: string, io: CliIo): void {
  io.stderr(`warning: ${message}\n`);
}
