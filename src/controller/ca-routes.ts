import { type AdminResponse, type AdminRoute, json, text } from '#shared/observability/admin-server.ts';
import { parseDuration } from '#shared/config/env-reader.ts';
import { errorMessage } from '#shared/observability/error-message.ts';
import { formatSpiffeId } from '#shared/spiffe/spiffe-id.ts';
import type { Authority } from './authority.ts';
import { CaError } from './ca/ca-error.ts';
import type { ManagedCa } from './ca/managed-ca.ts';

const DEFAULT_TOKEN_TTL = '720h';

/** Proxies that have not confirmed the roots of the moment. Rejects when other replicas cannot be asked. */
export type Unconfirmed = () => Promise<readonly string[]>;

/** `GET /ca/status`. */
export function caStatusRoute(authority: Authority, unconfirmed: Unconfirmed): AdminRoute {
  return {
    method: 'GET',
    path: '/ca/status',
    help: 'roots, phase of a rotation, and what it waits for',
    handle: async () => {
      const { ca, ledger, managed } = authority;
      const waitingFor = await unconfirmed();
      const { bundle, signerFingerprint, version } = ca.trust;
      return json({
        trustDomain: ca.trustDomain,
        trustVersion: version,
        phase: managed?.phase ?? 'plugged',
        roots: bundle.roots.map(root => ({
          serial: root.serial,
          notBefore: new Date(root.notBeforeMs).toISOString(),
          notAfter: new Date(root.notAfterMs).toISOString(),
        })),
        unconfirmed: waitingFor,
        // null: leaves of an earlier process may still live.
        oldRootLeaves: ledger.othersThan(signerFingerprint) ?? null,
      });
    },
  };
}

/** What makes or spends trust: only for the unix socket, which its file mode protects. */
export function trustRoutes(authority: Authority, unconfirmed: Unconfirmed): AdminRoute[] {
  return [
    {
      method: 'POST',
      path: '/ca/rotate',
      help: 'root rotation: ?step=prepare|switch|finish, &force=true takes the risk a refusal names',
      handle: ({ query }) => {
        const { managed } = authority;
        if (managed === undefined)
          return text('the CA is plugged in: its roots are rotated by its files\n', 409);
        const force = query.get('force') === 'true';
        return answer(() => rotate(authority, managed, query.get('step') ?? '', force, unconfirmed));
      },
    },
    {
      method: 'POST',
      path: '/token',
      help: 'join token: ?namespace=&serviceAccount=, &node= for a node proxy, &ttl=720h',
      handle: ({ query }) => answer(() => createToken(authority, query)),
    },
  ];
}

async function rotate(
  { ca, ledger }: Authority,
  managed: ManagedCa,
  step: string,
  force: boolean,
  unconfirmed: Unconfirmed,
): Promise<string> {
  switch (step) {
    case 'prepare':
      await managed.prepareRotation();
      break;
    case 'switch':
      // Forced, nobody is asked: the API server may be the reason for it.
      await managed.switchRotation(force ? { force } : { unconfirmed: await unconfirmed() });
      break;
    case 'finish': {
      // The CA waits until the last old leaf must have ended; nobody holding one any more is as good.
      const nobodyHoldsOld = ledger.othersThan(ca.trust.signerFingerprint) === 0;
      await managed.finishRotation({ force: force || (managed.phase === 'switched' && nobodyHoldsOld) });
      break;
    }
    default:
      throw new CaError('INVALID_ARGUMENT', `step ${JSON.stringify(step)}: use prepare, switch or finish`);
  }
  return `${managed.phase}\n`;
}

async function createToken({ ca, tokens }: Authority, query: URLSearchParams): Promise<string> {
  const ttl = query.get('ttl') ?? DEFAULT_TOKEN_TTL;
  const ttlMs = parseDuration(ttl);
  if (ttlMs === undefined)
    throw new CaError('INVALID_ARGUMENT', `ttl ${JSON.stringify(ttl)}: write it as 24h`);
  const identity = formatSpiffeId({
    trustDomain: ca.trustDomain,
    namespace: query.get('namespace') ?? '',
    serviceAccount: query.get('serviceAccount') ?? '',
  });
  const node = query.get('node');
  return tokens.create({ identity, ttlMs, ...(node === null ? {} : { node }) });
}

async function answer(act: () => Promise<string>): Promise<AdminResponse> {
  try {
    return text(await act());
  } catch (error) {
    const message = errorMessage(error);
    return text(`${message}\n`, error instanceof CaError && error.code === 'FAILED_PRECONDITION' ? 409 : 400);
  }
}
