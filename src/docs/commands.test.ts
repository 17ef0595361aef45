import { existsSync, globSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { isJsonObject, parseJson } from '#shared/config/json.ts';
import { commandFault } from './command-fault.ts';

/** Every command that a page shows has to exist. */
const PAGES = ['README.md', ...globSync(['docs/**/*.md', 'examples/**/*.md'])].sort();

const SCRIPTS = npmScripts();

function npmScripts(): Set<string> {
  const manifest = parseJson(readFileSync('package.json', 'utf8'));
  const scripts = isJsonObject(manifest) ? manifest['scripts'] : undefined;
  return new Set(isJsonObject(scripts) ? Object.keys(scripts) : []);
}

/** What is shown as code, a line each: fenced, indented, or within a sentence. */
function codeLines(markdown: string): string[] {
  const blocks = Array.from(markdown.matchAll(/^```\w*\n([\s\S]*?)^```/gm), m => m[1] ?? '');
  const prose = markdown.replaceAll(/^```\w*\n[\s\S]*?^```/gm, '');
  const indented = prose.split('\n').filter(line => line.startsWith('    '));
  const inline = Array.from(prose.matchAll(/`([^`\n]+)`/g), m => m[1] ?? '');
  return [...blocks.join('\n').split('\n'), ...indented, ...inline].map(line =>
    line
      .trim()
      .replace(/^\$ /, '')
      .replace(/\s#.*$/, '')
      .trimEnd(),
  );
}

for (const page of PAGES) {
  test(`${page}: its commands exist`, t => {
    const lines = codeLines(readFileSync(page, 'utf8'));
    const wrong = lines
      .filter(line => /^(?:scripts\/)?ambientctl\s+[a-z]/.test(line))
      .flatMap(line => commandFault(line) ?? [])
      .concat(lines.flatMap(scriptFaults));
    t.same(wrong, []);
    t.end();
  });
}

/** npm scripts and files that a line names and there are not. */
function scriptFaults(line: string): string[] {
  const scripts = Array.from(line.matchAll(/\bnpm run ([a-z0-9]+)/g), m => m[1] ?? '').filter(
    s => !SCRIPTS.has(s),
  );
  const files = Array.from(
    line.matchAll(/\b(?:src|scripts|e2e|examples)\/[\w./-]+\.(?:ts|sh|yaml|md)\b/g),
    m => m[0],
  );
  return [
    ...scripts.map(s => `no npm script ${s}`),
    ...files.filter(f => !existsSync(f)).map(f => `no file ${f}`),
  ];
}

test('the pages that curl asks for exist', t => {
  const sources = globSync('src/**/*.ts').filter(f => !f.endsWith('.test.ts') && !f.startsWith('src/docs/'));
  const code = sources.map(f => readFileSync(f, 'utf8')).join('\n');
  const asked = PAGES.flatMap(page => codeLines(readFileSync(page, 'utf8')))
    .filter(line => line.startsWith('curl '))
    .flatMap(line => /(?:localhost|:\d+)(\/[a-z_/]+)/.exec(line)?.[1] ?? []);
  t.ok(asked.length > 5);
  t.same(
    asked.filter(path => !code.includes(`path: '${path}'`)),
    [],
  );
  t.end();
});

/** Messages and reasons that debugging.md tells operators to look for. */
test('what debugging.md quotes is what the code says', t => {
  const code = globSync('src/**/*.ts')
    .filter(f => !f.endsWith('.test.ts') && !f.startsWith('src/docs/'))
    .map(f => readFileSync(f, 'utf8'))
    .join('\n');
  const quoted = [
    'denied by ',
    'mutual TLS is required (PeerAuthentication STRICT)',
    'no ALLOW policy of ',
    'matched: source ',
    'policy changed: ',
    'has no endpoints',
    'has no port',
    ' is not known',
    ' is not ready',
    'the peer proved to be ',
    'has its IP address been reused?',
    'no certificate for ',
    'the certificate of ',
    'the controller has not told about ',
    ' or a service of it',
    'neither the pod nor its namespace has the label',
    'is excluded',
    'the pod uses the network of its host',
    'capture of a pod failed',
    'capture repaired',
    'waiting for: ',
    'certificate not renewed',
    'certificate refused',
    'discovery stream ended, the last configuration stays in force',
  ];
  const page = readFileSync('docs/debugging.md', 'utf8');
  for (const text of quoted) {
    t.ok(page.includes(text.trim()), `documented: ${text}`);
    t.ok(code.includes(text), `said by the code: ${text}`);
  }
  t.end();
});
