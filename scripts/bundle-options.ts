import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type BuildOptions, type Plugin, transform } from 'esbuild';

const NOT_ASCII = /[^\0-\u007f]/g;

/** Bundled CommonJS packages call `require`, which an ES module does not have. */
const BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** How programs are bundled, for images and for measurements alike. The text of a program stays in the memory of each process. */
export const BUNDLE_OPTIONS = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node26',
  // Names would be set at run time, on every closure made: a quarter of what a new connection costs.
  keepNames: false,
  banner: { js: BANNER },
  // Asked for by grpc-js when its own statistics (channelz) are served, which they are not: with it comes protobufjs once more.
  external: ['@grpc/proto-loader'],
  plugins: [asciiBundle()],
} as const satisfies BuildOptions;

/**
 * Bundles of ASCII alone: one arrow in a comment, and the runtime keeps all of a program's text in two bytes a character, 3 MB
 * more for each process. esbuild escapes strings by itself; what is left are comments, in which it becomes `?`, and patterns,
 * in which it fails the build: they can be written with escapes.
 */
function asciiBundle(): Plugin {
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
