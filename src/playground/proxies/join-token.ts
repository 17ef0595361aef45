import { existsSync, writeFileSync } from 'node:fs';
import type { StateLayout } from '../state-layout.ts';
import { fetchAdmin } from './fetch-admin.ts';

export interface JoinTokenClaims {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** For a node proxy, which may ask for the identities of that node's pods. */
  readonly node: string | undefined;
}

/** Has the controller make a join token for a proxy, where the proxy will read it. A restart keeps the one it has, and so
 * works without the controller. */
export async function writeJoinToken(
  { layout }: { readonly layout: StateLayout },
  controller: string,
  proxy: string,
  { namespace, serviceAccount, node }: JoinTokenClaims,
): Promise<void> {
  if (existsSync(layout.tokenOf(proxy))) return;
  const query = new URLSearchParams({ namespace, serviceAccount, ...(node === undefined ? {} : { node }) });
  const token = await fetchAdmin(layout.adminSocketOf(controller), `/token?${query.toString()}`, 'POST');
  writeFileSync(layout.tokenOf(proxy), token, { mode: 0o600 });
}
