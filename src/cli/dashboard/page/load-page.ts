import type { PageFiles } from '../http/dashboard-server.ts';

/** The page's files, by path. A bundle of ambientctl holds them: scripts/build.ts puts them in the place of this module. */
export async function loadPage(): Promise<PageFiles> {
  const { buildPage } = await import('./build-page.ts');
  return buildPage();
}
