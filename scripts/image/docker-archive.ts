import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { type TarEntry, writeTar } from './tar-writer.ts';

export interface ImageOptions {
  /** `name:tag` */
  readonly reference: string;
  /** Bottom first. */
  readonly layers: readonly (readonly TarEntry[])[];
  readonly config: ImageConfig;
}

/** The part of an OCI image configuration that we set. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
const EPOCH = '1970-01-01T00:00:00Z';

/**
 * Writes an image as `docker save` would, for `docker load`, `podman load` or `ctr images import`, without any of them.
 * The same files give the same bytes. @returns the image's id.
 */
export function writeDockerArchive(out: string, { reference, layers, config }: ImageOptions): string {
  const scratch = mkdtempSync(join(dirname(out), '.image-'));
  try {
    const written = layers.map((entries, i) => {
      const source = join(scratch, `layer-${i}.tar`);
      return { source, sha256: writeTar(source, entries).sha256 };
    });
    const image = JSON.stringify({
      architecture: ARCHITECTURES[arch()] ?? arch(),
      os: 'linux',
      created: EPOCH,
      config,
      rootfs: { type: 'layers', diff_ids: written.map(layer => `sha256:${layer.sha256}`) },
      history: written.map(() => ({ created: EPOCH, created_by: 'scripts/image.ts' })),
    });
    const id = createHash('sha256').update(image).digest('hex');
    const layerFiles = written.map(layer => `${layer.sha256}.tar`);
    const manifest = [{ Config: `${id}.json`, RepoTags: [reference], Layers: layerFiles }];
    writeTar(out, [
      { kind: 'text', path: 'manifest.json', mode: 0o644, text: JSON.stringify(manifest) },
      { kind: 'text', path: `${id}.json`, mode: 0o644, text: image },
      ...written.map(
        ({ source, sha256 }): TarEntry => ({ kind: 'file', path: `${sha256}.tar`, mode: 0o644, source }),
      ),
    ]);
    return `sha256:${id}`;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
