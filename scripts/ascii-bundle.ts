import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Plugin, transform } from 'esbuild';

const NOT_ASCII = /[^\0-\u007f]/g;

/**
 * Bundles of ASCII alone: one arrow in a comment, and the runtime keeps all of a program's text in two bytes a character, 3 MB
 * more for each process. esbuild escapes strings by itself; what is left are comments, in which it becomes `?`, and patterns,
 * in which it fails the build: they can be written with escapes.
 */
export function asciiBundle(): Plugin {
  return {
    name: 'ascii-bundle',
    setup(build) {
      build.initialOptions.write = false;
      build.onEnd(async ({ outputFiles = [] }) => {
        for (const { contents, path, text } of outputFiles) {
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, path.endsWith('.map') ? contents : await asciiOf(text, path));
        }
      });
    },
  };
}

/** @throws where something other than a comment is not ASCII */
async function asciiOf(text: string, path: string): Promise<string> {
  const { code } = await transform(text, { minifyWhitespace: true, legalComments: 'none' });
  const found = code.search(NOT_ASCII);
  if (found >= 0) {
    const where = code.slice(Math.max(0, found - 40), found + 40);
    throw new Error(`${path}: not ASCII, and no comment: ${where}; write it with an escape`);
  }
  return text.replace(NOT_ASCII, '?');
}
