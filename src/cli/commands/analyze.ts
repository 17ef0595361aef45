import type { Command } from 'commander';
import { isJsonObject, type JsonObject } from '#shared/config/json.ts';
import { fetchJson } from '../admin-client.ts';
import { askFirst } from '../ask-proxies.ts';
import { type Cli, print } from '../cli.ts';
import { FailedCheck } from '../cli-error.ts';
import { children, text } from '#shared/config/json-fields.ts';
import { type CommonOptions, withCommonOptions, withNamespaceFilter } from '../options.ts';
import { findProxies } from '../proxies.ts';
import type { Report } from '../render/output.ts';

/** `ambientctl analyze`: what the controller found in the objects it read. Its own translation speaks; there is no second opinion. */
export function addAnalyze(program: Command, cli: Cli): void {
  const command = program
    .command('analyze')
    .description('what is wrong with routes, policies and other objects; exit status 1 when one is rejected');
  withNamespaceFilter(withCommonOptions(command)).action(async (options: CommonOptions) => {
    const controllers = await findProxies('controller', options, cli);
    const { answer } = await askFirst(controllers, c => fetchJson(c.admin, '/debug/objects'), cli);
    const findings = findingsOf(answer, options.namespace);
    print(cli, options, analyzeReport(findings));
    if (findings.some(f => f.level === 'Error')) throw new FailedCheck();
  });
}

export interface Finding {
  /** Error: the object, or its last change, is not in force. Warning: all but this part of it is. */
  readonly level: 'Error' | 'Warning';
  /** `HTTPRoute shop/split`. */
  readonly object: string;
  readonly field: string;
  readonly message: string;
  readonly fix: string;
}

/** Pure: errors first, then by object. What could not be read at all has no namespace and is always shown. */
export function findingsOf(answer: unknown, namespace: string | undefined): Finding[] {
  const page = isJsonObject(answer) ? answer : {};
  const found = children(page, 'objects').filter(
    o => namespace === undefined || text(o, 'key').split('/')[1] === namespace,
  );
  const unreadable = children(page, 'unreadable').map(problem =>
    findingOf('Error', text(problem, 'origin'), problem),
  );
  const findings = [...found.flatMap(findingsIn), ...unreadable];
  const rank = (f: Finding): string => `${f.level} ${f.object} ${f.field}`;
  return findings.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

function findingsIn(object: JsonObject): Finding[] {
  const [kind = '', namespace = '', name = ''] = text(object, 'key').split('/');
  const shown = `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
  return children(object, 'diagnostics').map(diagnostic =>
    findingOf(text(diagnostic, 'severity') === 'rejected' ? 'Error' : 'Warning', shown, diagnostic),
  );
}

function findingOf(level: Finding['level'], object: string, problem: JsonObject): Finding {
  const [field, value] = [text(problem, 'field'), text(problem, 'value')];
  return {
    level,
    object,
    field: value === '' ? field : `${field}: ${value}`,
    message: text(problem, 'message'),
    fix: text(problem, 'fix'),
  };
}

function analyzeReport(findings: readonly Finding[]): Report {
  return {
    header: ['LEVEL', 'OBJECT', 'FIELD', 'MESSAGE', 'FIX'],
    rows: findings.map(f => [f.level, f.object, f.field || '-', f.message, f.fix || '-']),
    data: findings,
    empty: '√ nothing is wrong with any object',
  };
}
