import type { HttpMatch, Match, StringMatch } from '#shared/authz/policy.ts';
import { ANY_HTTP_REQUEST, EMPTY_MATCH } from '#shared/authz/policy.ts';
import type { Fields } from '../decode.ts';
import { ports, stringMatches, stringMatchesOf } from './values.ts';

const HTTP_FIELDS = ['hosts', 'notHosts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;

/** `to[].operation`. */
export function readOperation(fields: Fields): Match {
  const destinationPorts = ports(fields, 'ports');
  const notDestinationPorts = ports(fields, 'notPorts');
  const http: HttpMatch = {
    ...ANY_HTTP_REQUEST,
    hosts: stringMatches(fields, 'hosts'),
    notHosts: stringMatches(fields, 'notHosts'),
    methods: stringMatches(fields, 'methods'),
    notMethods: stringMatches(fields, 'notMethods'),
    paths: readPaths(fields, 'paths'),
    notPaths: readPaths(fields, 'notPaths'),
  };
  const asksHttp = HTTP_FIELDS.some(field => http[field].length > 0);
  return { ...EMPTY_MATCH, destinationPorts, notDestinationPorts, http: asksHttp ? http : undefined };
}

function readPaths(fields: Fields, key: string): readonly StringMatch[] {
  const texts = fields.strings(key);
  const plain = texts.filter(text => !isTemplate(text));
  const templates = texts.filter(isTemplate);
  for (const template of templates) {
    const problem = templateProblem(template);
    if (problem !== undefined)
      fields.reject(key, `"${template}" ${problem}`, 'write such as /items/{*}/parts/{**}');
  }
  return [
    ...stringMatchesOf(fields, key, plain),
    ...templates.map(value => ({ kind: 'template' as const, value })),
  ];
}

function isTemplate(text: string): boolean {
  return text.includes('{*}') || text.includes('{**}');
}

/** As Envoy's URI templates: operators are whole segments, and `{**}` stands for all that is between two others at most once. */
function templateProblem(template: string): string | undefined {
  const rest = template.replaceAll('{**}', '').replaceAll('{*}', '');
  if (!template.startsWith('/')) return 'is no absolute path';
  if (/[*{}]/.test(rest)) return 'holds "*" or braces that are no {*} or {**}';
  const segments = template.split('/').slice(1);
  if (segments.some(segment => segment.includes('{') && segment !== '{*}' && segment !== '{**}'))
    return 'mixes an operator with text in one segment';
  const many = segments.indexOf('{**}');
  if (many >= 0 && segments.slice(many + 1).some(segment => segment.includes('{')))
    return 'has an operator behind {**}';
  return undefined;
}
