import { isListenedOn } from '#shared/native/listening.ts';
import { openNetns, runInNetns } from '#shared/native/netns.ts';
import { HBONE_PORT } from '../ports.ts';
import type { CaptureOptions } from '../redirect/capture-rules.ts';
import type { Nft } from '../redirect/nft.ts';
import { Redirection } from '../redirect/redirection.ts';

/** Whether a ztunnel listens there; of the wildcard IPv4 address one does in any case. Throws when the namespace is gone. */
export function isListenedFor(netnsPath: string): boolean {
  const netns = openNetns(netnsPath);
  try {
    return runInNetns(netns.fd, () => isListenedOn({ ip: '0.0.0.0', port: HBONE_PORT }));
  } finally {
    netns.close();
  }
}

/** For a namespace that nobody here has captured. @returns whether there was something to remove */
export async function removeRules(netnsPath: string, options: CaptureOptions, nft: Nft): Promise<boolean> {
  const netns = openNetns(netnsPath);
  try {
    return await new Redirection(netns.fd, options, nft).removeIfPresent();
  } finally {
    netns.close();
  }
}
