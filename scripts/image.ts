import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { errorMessage } from '#shared/observability/error-message.ts';
import { VERSION } from '../src/shared/config/version.ts';
import { writeDockerArchive } from './image/docker-archive.ts';
import { applicationLayer, runtimeLayer } from './image/rootfs.ts';

/**
 * One image with every binary, from what is installed here: no registry, no container engine. Where there are both,
 * the Containerfile makes the same image.
 *
 *   npm run image                                      dist-image/ambient-mesh.tar, tagged with the version
 *   npm run image -- --tag registry/mesh:1 --out x.tar
 */
const USAGE = 'usage: npm run image -- [--tag NAME:TAG] [--out FILE]';

try {
  const { values } = parseArgs({
    options: {
      tag: { type: 'string', default: `ambient-mesh:${VERSION}` },
      out: { type: 'string', default: 'dist-image/ambient-mesh.tar' },
    },
  });
  const { out, tag } = values;
  mkdirSync(dirname(out), { recursive: true });
  const partial = `${out}.partial`;
  try {
    const id = writeDockerArchive(partial, {
      reference: tag,
      layers: [runtimeLayer(), applicationLayer('dist')],
      config: {
        User: '65532:65532',
        Env: ['PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        Entrypoint: [],
        Labels: {
          'org.opencontainers.image.version': VERSION,
          'org.opencontainers.image.licenses': 'Apache-2.0',
        },
      },
    });
    renameSync(partial, out);
    console.log(`${out}: ${tag} ${id}`);
  } finally {
    rmSync(partial, { force: true });
  }
} catch (error) {
  console.error(`image: ${errorMessage(error)}; ${USAGE}`);
  process.exitCode = 2;
}
