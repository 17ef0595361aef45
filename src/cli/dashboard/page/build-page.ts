import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, transform } from 'esbuild';
import type { PageFiles } from '../http/dashboard-server.ts';

const SOURCE = join(import.meta.dirname, '..', '..', '..', 'dashboard');

/** Puts the browser's code together. Only where it is written is it made when it is needed. */
export async function buildPage(): Promise<PageFiles> {
  const read = (name: string): Promise<string> => readFile(join(SOURCE, name), 'utf8');
  const [script, html, style, icon] = await Promise.all([
    bundle(join(SOURCE, 'main.ts')),
    read('index.html'),
    read('style.css').then(text => transform(text, { loader: 'css', minify: true })),
    read('icon.svg'),
  ]);
  return new Map([
    ['/', { contentType: 'text/html; charset=utf-8', body: html }],
    ['/page.js', { contentType: 'text/javascript; charset=utf-8', body: script }],
    ['/page.css', { contentType: 'text/css; charset=utf-8', body: style.code }],
    ['/icon.svg', { contentType: 'image/svg+xml', body: icon }],
  ]);
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2023',
    minify: true,
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}
