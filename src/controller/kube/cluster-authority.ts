import type { JsonObject } from '#shared/config/json.ts';
import { child } from '#shared/config/json-fields.ts';
import type { KubeApi } from '#shared/kube/client.ts';
import { CONFIG_MAPS, SECRETS } from '#shared/kube/core-resources.ts';
import { Informer } from '#shared/kube/informer.ts';
import { isNotFound } from '#shared/kube/kube-error.ts';
import { objectPath } from '#shared/kube/resource.ts';
import { type BackoffOptions, backoffDelay } from '#shared/lifecycle/backoff.ts';
import { type Clock, delay } from '#shared/lifecycle/clock.ts';
import type { StandingFaults } from '#shared/lifecycle/standing-faults.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import type { Logger } from '#shared/observability/logger.ts';
import { generateKey, softwareProvider } from '#shared/pki/crypto-provider.ts';
import { type Authority, leafPolicyOf, reloadPeriodically } from '../authority.ts';
import { CaError } from '../ca/ca-error.ts';
import { caFilesOf } from '../ca/ca-files.ts';
import { createJoinTokens } from '../ca/join-token.ts';
import { ManagedCa } from '../ca/managed-ca.ts';
import { PluggedCa } from '../ca/plugged-ca.ts';
import { SecretCaStore } from '../ca/secret-ca-store.ts';
import { readSecret } from '../ca/secret-data.ts';
import { tellUnwrittenCa } from '../ca/unwritten-state.ts';
import type { CaConfig } from '../config/ca-config.ts';
import type { ClusterConfig } from '../config/source-config.ts';
import { LeafLedger } from '../ca/leaf-ledger.ts';
import { BUNDLE_KEY, OWN_NAME } from './root-bundle.ts';

export interface ClusterAuthorityOptions {
  readonly ca: CaConfig;
  readonly cluster: ClusterConfig;
  readonly api: KubeApi;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly faults: StandingFaults;
}

const JOIN_TOKEN = 'join-token';
const BACKOFF: BackoffOptions = { initialMs: 200, maxMs: 10_000, factor: 2, jitter: 0.5 };

/**
 * The CA of a cluster: the one an operator brought in a Secret, else our own, which the first replica makes. Waits for the
 * API server. Rejects with `CaError` when what is there cannot be used.
 */
export async function openClusterAuthority(options: ClusterAuthorityOptions): Promise<Authority> {
  const { clock, logger, random } = options;
  let told = '';
  for (let attempt = 0; ; attempt++) {
    try {
      return await open(options);
    } catch (error) {
      if (error instanceof CaError && error.code === 'FAILED_PRECONDITION') throw error;
      const reason = errorMessage(error);
      if (reason !== told) logger.warn('CA not opened yet, trying again', { reason });
      told = reason;
      await delay(clock, backoffDelay(BACKOFF, attempt, random()));
    }
  }
}

async function open(options: ClusterAuthorityOptions): Promise<Authority> {
  const { api, cluster } = options;
  try {
    const path = objectPath(SECRETS, cluster.namespace, cluster.pluggedSecret);
    return await openPlugged(options, await api.request({ path }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return openManaged(options);
  }
}

async function openPlugged(options: ClusterAuthorityOptions, found: JsonObject): Promise<Authority> {
  const { clock, cluster, logger } = options;
  const { trustDomain } = options.ca;
  let latest = found;
  const name = `Secret ${cluster.namespace}/${cluster.pluggedSecret}`;
  const ca = await PluggedCa.open({
    clock,
    trustDomain,
    files: { name, read: () => Promise.resolve().then(() => caFilesOf(readSecret(latest))) },
    provider: softwareProvider,
    leafPolicy: leafPolicyOf(options.ca),
  });
  const reload = reloadPeriodically(ca, clock, logger);
  const stopWatching = watchSecret(options, cluster.pluggedSecret, secret => {
    if (secret === undefined) {
      logger.error('the Secret of the CA is gone, the CA in use stays until this replica ends', {
        secret: name,
      });
      return;
    }
    latest = secret;
    reload.now();
  });
  logger.info('signing with the CA of the operator', { secret: name });
  // Whoever makes join tokens asks this replica: others could not check them without a key that all of them have.
  const key = await generateKey(softwareProvider, false);
  return {
    ca,
    managed: undefined,
    tokens: await createJoinTokens({ clock, key, trustDomain }),
    ledger: new LeafLedger(clock, Number.POSITIVE_INFINITY),
    stop: () => {
      reload.stop();
      stopWatching();
    },
  };
}

async function openManaged(options: ClusterAuthorityOptions): Promise<Authority> {
  const { api, clock, cluster, logger } = options;
  const { caSecret, namespace, pluggedSecret } = cluster;
  const { trustDomain } = options.ca;
  const store = new SecretCaStore({ api, namespace, name: caSecret });
  if ((await store.read()) === undefined) await refuseSecondRoot(options);
  // Made with the CA, so that all replicas have the same one.
  if (!(await store.keys.list()).includes(JOIN_TOKEN)) await store.keys.create(JOIN_TOKEN);
  const managed = await ManagedCa.open({
    clock,
    trustDomain,
    store,
    leafPolicy: leafPolicyOf(options.ca),
    onWarning: (message, cause) => logger.error(message, { reason: errorMessage(cause) }),
    onUnwritten: tellUnwrittenCa(logger, options.faults),
  });
  const stopWatching = [
    keepSecret(options, managed, store),
    watchSecret(options, pluggedSecret, secret => {
      if (secret !== undefined)
        logger.warn('a CA was brought; restart the controller to use it', {
          secret: `${namespace}/${pluggedSecret}`,
        });
    }),
  ];
  return {
    ca: managed,
    managed,
    tokens: await createJoinTokens({ clock, key: await store.keys.load(JOIN_TOKEN), trustDomain }),
    // Other replicas gave leaves that this one knows nothing of.
    ledger: new LeafLedger(clock, Number.POSITIVE_INFINITY),
    stop: () => {
      for (const stop of stopWatching) stop();
    },
  };
}

/**
 * A CA of ours is made for a mesh that has none. Where proxies trust roots already, theirs has been lost, and a new one would
 * refuse every connection of the mesh at once; without a CA it goes on until its certificates end.
 * @throws CaError UNAVAILABLE: it is looked for again until it is back.
 */
async function refuseSecondRoot({ api, cluster }: ClusterAuthorityOptions): Promise<void> {
  const { caSecret, namespace, pluggedSecret } = cluster;
  const path = objectPath(CONFIG_MAPS, namespace, OWN_NAME);
  const found = await api.request({ path }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (found === undefined || !(BUNDLE_KEY in child(found, 'data'))) return;
  throw new CaError(
    'UNAVAILABLE',
    `the CA is lost: neither Secret ${namespace}/${caSecret} nor ${namespace}/${pluggedSecret} is there, and proxies trust the roots of ConfigMap ${namespace}/${OWN_NAME}; restore the Secret, or delete that ConfigMap for a new CA, of which proxies know nothing until they are restarted`,
  );
}

/** Takes over what others make of the Secret, and makes it again when it is deleted: the keys are in memory alone then. */
function keepSecret(options: ClusterAuthorityOptions, managed: ManagedCa, store: SecretCaStore): () => void {
  const { cluster, logger } = options;
  let restoring = new AbortController();
  const stop = watchSecret(options, cluster.caSecret, secret => {
    restoring.abort();
    if (secret !== undefined) {
      adopt(managed, store, secret, logger);
      return;
    }
    restoring = new AbortController();
    store.deleted();
    void restoreSecret(options, managed, restoring.signal);
  });
  return () => {
    restoring.abort();
    stop();
  };
}

/** Never rejects. */
async function restoreSecret(
  { clock, cluster, logger, random }: ClusterAuthorityOptions,
  managed: ManagedCa,
  signal: AbortSignal,
): Promise<void> {
  const secret = `${cluster.namespace}/${cluster.caSecret}`;
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await managed.restore();
      logger.warn('the Secret of the CA was deleted: made again', { secret });
      return;
    } catch (error) {
      const reason = errorMessage(error);
      logger.error('the Secret of the CA is gone and not made again: the CA ends with the last replica', {
        secret,
        reason,
      });
      await delay(clock, backoffDelay(BACKOFF, attempt, random()), signal).catch(() => undefined);
    }
  }
}

/** What another replica, or a restored backup, has made of it. */
function adopt(managed: ManagedCa, store: SecretCaStore, secret: JsonObject, logger: Logger): void {
  Promise.resolve()
    .then(() => managed.adopt(store.take(secret)))
    .catch((error: unknown) => {
      logger.error('Secret of the CA not taken over, the CA in use stays', { reason: errorMessage(error) });
    });
}

/** @returns the function that ends it. `onSecret` is told of what is there at first too, and of nothing: undefined. */
function watchSecret(
  { api, clock, cluster, logger, random }: ClusterAuthorityOptions,
  name: string,
  onSecret: (secret: JsonObject | undefined) => void,
): () => void {
  const informer = new Informer({
    api,
    clock,
    logger,
    random,
    resource: SECRETS,
    namespace: cluster.namespace,
    fieldSelector: `metadata.name=${name}`,
    onChange: ({ deletes, upserts }) => {
      const [secret] = upserts;
      if (secret !== undefined) onSecret(secret);
      else if (deletes.length > 0) onSecret(undefined);
    },
  });
  informer.start();
  return () => void informer.stop();
}
