import { join } from 'node:path';
import type { Clock, Timer } from '#shared/lifecycle/clock.ts';
import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { softwareProvider } from '#shared/pki/crypto-provider.ts';
import { directoryCaFiles } from './ca/ca-files.ts';
import { directoryCaStore } from './ca/ca-store.ts';
import type { CertificateAuthority } from './ca/certificate-authority.ts';
import { createJoinTokens, type JoinTokens } from './ca/join-token.ts';
import { directoryKeyStore, loadOrCreateKey } from './ca/key-store.ts';
import { DEFAULT_LEAF_POLICY, type LeafPolicy } from './ca/leaf-policy.ts';
import { ManagedCa } from './ca/managed-ca.ts';
import { tellUnwritten, tellUnwrittenCa } from './ca/unwritten-state.ts';
import { PluggedCa } from './ca/plugged-ca.ts';
import type { CaConfig } from './config/ca-config.ts';
import { LeafJournal } from './ca/leaf-journal.ts';
import { LeafLedger } from './ca/leaf-ledger.ts';

const RELOAD_INTERVAL_MS = 30_000;

/** The CA, who may talk to it, and what is known of the leaves it gave. */
export interface Authority {
  readonly ca: CertificateAuthority;
  /** The same CA where its root is ours to rotate. */
  readonly managed: ManagedCa | undefined;
  readonly tokens: JoinTokens;
  readonly ledger: LeafLedger;
  /** Ends what the CA does on its own. */
  readonly stop: () => void;
}

/** The CA of a directory, which this process alone has. Rejects with `CaError`. */
export async function openAuthority(
  config: CaConfig,
  clock: Clock,
  logger: Logger,
  faults: StandingFaults,
): Promise<Authority> {
  const { directory, pluggedDirectory, trustDomain } = config;
  const leafPolicy = leafPolicyOf(config);
  const keys = directoryKeyStore(directory, softwareProvider);
  const tokens = await createJoinTokens({
    clock,
    key: await loadOrCreateKey(keys, 'join-token'),
    trustDomain,
  });
  if (pluggedDirectory !== undefined) {
    const provider = softwareProvider;
    const files = directoryCaFiles(pluggedDirectory);
    const ca = await PluggedCa.open({ clock, trustDomain, files, provider, leafPolicy });
    const ledger = new LeafLedger(clock, Number.POSITIVE_INFINITY);
    return { ca, managed: undefined, tokens, ledger, stop: reloadPeriodically(ca, clock, logger).stop };
  }
  const onWarning = (message: string, cause: unknown): void => {
    logger.error(message, { reason: errorMessage(cause) });
  };
  const store = directoryCaStore(directory, keys);
  const onUnwritten = tellUnwrittenCa(logger, faults);
  const managed = await ManagedCa.open({ clock, trustDomain, store, leafPolicy, onWarning, onUnwritten });
  const journal = new LeafJournal({
    path: join(directory, 'leaves.jsonl'),
    clock,
    onState: reason => {
      tellUnwritten(logger, faults, {
        what: 'the journal of leaves',
        consequence: 'after a restart a root rotation waits for the last leaf',
        reason,
      });
    },
  });
  return {
    ca: managed,
    managed,
    tokens,
    ledger: new LeafLedger(clock, managed.state.leavesUntilMs, journal),
    stop: () => undefined,
  };
}

export function leafPolicyOf({ leafTtlMs, maxLeafTtlMs }: CaConfig): LeafPolicy {
  return { ...DEFAULT_LEAF_POLICY, defaultTtlMs: leafTtlMs, maxTtlMs: maxLeafTtlMs };
}

/**
 * Looks whether the operator has put other files there (mounted Secrets change without an event that can be relied on), and
 * goes on with a change of roots as time passes.
 */
export function reloadPeriodically(
  ca: PluggedCa,
  clock: Clock,
  logger: Logger,
): { readonly now: () => void; readonly stop: () => void } {
  let timer: Timer;
  let told: string | undefined;
  const now = (): void => {
    ca.reload().then(
      () => (told = undefined),
      (error: unknown) => {
        const reason = errorMessage(error);
        if (reason !== told) logger.error('files of the CA not taken over, the CA in use stays', { reason });
        told = reason;
      },
    );
  };
  const schedule = (): void => {
    timer = clock.setTimer(RELOAD_INTERVAL_MS, () => {
      now();
      schedule();
    });
  };
  schedule();
  return { now, stop: () => timer.cancel() };
}
