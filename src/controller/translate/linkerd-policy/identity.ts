import type { StringMatch } from '#shared/authz/policy.ts';

/**
 * Linkerd's identities are names of DNS, `<account>.<namespace>.serviceaccount.identity.<control plane>.<trust domain>`; ours
 * are `<trust domain>/ns/<namespace>/sa/<account>`. Names of accounts may hold dots, those of namespaces do not.
 */
const ACCOUNT = /^(?<account>.+)\.(?<namespace>[^.]+)\.serviceaccount\.identity\.[^.]+\.(?<domain>.+)$/;
const NAMESPACE = /^(?<namespace>[^.]+)\.serviceaccount\.identity\.[^.]+\.(?<domain>.+)$/;
const DOMAIN = /^(?:serviceaccount\.)?identity\.[^.]+\.(?<domain>.+)$/;

/**
 * Who has an identity that Linkerd's objects name, in terms of principals. `*` is every identity, `*.x` all that end in `.x`.
 * @returns undefined: nobody, as far as it can be said
 */
export function principalOf(identity: string, trustDomain: string): StringMatch | undefined {
  if (identity === '*') return { kind: 'presence' };
  if (identity.startsWith('spiffe://')) return { kind: 'exact', value: identity.slice('spiffe://'.length) };
  if (identity.startsWith('*.')) return endingIn(identity.slice(2), trustDomain);
  const { account, domain, namespace } = ACCOUNT.exec(identity)?.groups ?? {};
  if (account === undefined || domain === undefined || namespace === undefined) return undefined;
  return { kind: 'exact', value: `${domain}/ns/${namespace}/sa/${account}` };
}

function endingIn(suffix: string, trustDomain: string): StringMatch | undefined {
  const ofNamespace = NAMESPACE.exec(suffix)?.groups;
  if (ofNamespace?.['domain'] !== undefined)
    return { kind: 'prefix', value: `${ofNamespace['domain']}/ns/${ofNamespace['namespace']}/sa/` };
  const ofDomain = DOMAIN.exec(suffix)?.groups?.['domain'];
  if (ofDomain !== undefined) return { kind: 'prefix', value: `${ofDomain}/` };
  // What is left ends inside the trust domain, or at the control plane's name before it; of ours that can be seen.
  const ours = `.${trustDomain}`;
  const isOurs =
    ours.endsWith(`.${suffix}`) || (suffix.endsWith(ours) && !suffix.slice(0, -ours.length).includes('.'));
  return isOurs ? { kind: 'prefix', value: `${trustDomain}/` } : undefined;
}

export function principalOfAccount(trustDomain: string, namespace: string, account: string): StringMatch {
  return { kind: 'exact', value: `${trustDomain}/ns/${namespace}/sa/${account}` };
}

export function principalsOfNamespace(trustDomain: string, namespace: string): StringMatch {
  return { kind: 'prefix', value: `${trustDomain}/ns/${namespace}/sa/` };
}
