import { existsSync, writeFileSync } from 'node:fs';
import { fetchAdmin } from './fetch-admin.ts';

export interface JoinTokenClaims {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** For a node proxy, which may ask for the identities of that node's pods. */
  readonly node: string | undefined;
}

/**
 * Has the controller make a join token for a proxy, where the proxy will read it. A restart keeps the one it has, and so
 * works without the controller.
 */
export async function writeJoinToken(
  controllerSocket: string,
  tokenPath: string,
  claims: JoinTokenClaims,
): Promise<void> {
  if (existsSync(tokenPath)) return;
  const { namespace, serviceAccount, node } = claims;
  const query = new URLSearchParams({ namespace, serviceAccount, ...(node === undefined ? {} : { node }) });
  const token = await fetchAdmin(controllerSocket, `/token?${query.toString()}`, 'POST');
  writeFileSync(tokenPath, token, { mode: 0o600 });
}
