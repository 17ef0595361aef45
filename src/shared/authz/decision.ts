import { MAX_TEXT_CHARS } from '../route/regex/automaton.ts';
import type { AuthzConnection } from './connection.ts';

/** The answer to one connection or request, with what an operator needs to see why. */
export interface Decision {
  readonly allowed: boolean;
  /** `<namespace>/<name>` of the policy that decided; undefined when none matched. */
  readonly policy: string | undefined;
  /** Index of the rule in that policy. */
  readonly rule: number | undefined;
  /** For the access log. */
  readonly reason: string;
}

export const NO_POLICY: Decision = Object.freeze({
  allowed: true,
  policy: undefined,
  rule: undefined,
  reason: 'no policy applies',
});

export const NO_DENY_MATCHED: Decision = Object.freeze({
  allowed: true,
  policy: undefined,
  rule: undefined,
  reason: 'no DENY policy matched and no ALLOW policy applies',
});

export const BAD_PATH: Decision = Object.freeze({
  allowed: false,
  policy: undefined,
  rule: undefined,
  reason: 'denied: the path holds a NUL character, which cannot be compared safely',
});

export const TOO_LONG: Decision = Object.freeze({
  allowed: false,
  policy: undefined,
  rule: undefined,
  reason: `denied: the path, or a header that a policy asks for, is longer than the ${MAX_TEXT_CHARS} characters a pattern is compared with`,
});

/** The controller turns a PeerAuthentication of mode STRICT into a DENY policy with such a name. */
export const STATIC_POLICY_PREFIX = 'istio_converted_static_';

/** Linkerd's Server `web` for port 8080 of its pods is the policy `server_web_8080`. No object's name holds an underscore. */
export const LINKERD_SERVER_PREFIX = 'server_';
/** What Linkerd's annotation says of ports without a Server, `default-inbound-policy_deny`. */
export const LINKERD_DEFAULT_PREFIX = 'default-inbound-policy_';

export function deniedBy(policy: string, rule: number): Decision {
  const reason = `denied by ${policy} rule ${rule}${hintOf(policy.slice(policy.indexOf('/') + 1))}`;
  return Object.freeze({ allowed: false, policy, rule, reason });
}

/** What a policy stands for that is no object of its own. */
function hintOf(name: string): string {
  if (name.startsWith(STATIC_POLICY_PREFIX))
    return ': mutual TLS is required (PeerAuthentication STRICT) and the source sent plaintext';
  if (name.startsWith(LINKERD_SERVER_PREFIX)) {
    const [server = ''] = name.slice(LINKERD_SERVER_PREFIX.length).split('_', 1);
    return `: no authorization of Linkerd for Server ${server}, or for a route of it, lets the source in`;
  }
  if (name.startsWith(LINKERD_DEFAULT_PREFIX)) {
    const [access = ''] = name.slice(LINKERD_DEFAULT_PREFIX.length).split('_', 1);
    return `: no Server selects the port, and by Linkerd's annotations of the pod or its namespace it is ${access}`;
  }
  return '';
}

export function allowedBy(policy: string, rule: number): Decision {
  return Object.freeze({ allowed: true, policy, rule, reason: `allowed by ${policy} rule ${rule}` });
}

const MAX_NAMES = 3;

/** Some ALLOW policy applies and none let the connection in. */
export function noneAllowed(names: readonly string[], connection: AuthzConnection): Decision {
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : '';
  const policies = `${names.slice(0, MAX_NAMES).join(', ')}${more}`;
  const source =
    connection.sourceIdentity === undefined
      ? `${connection.sourceIp} without identity (plaintext); bring it into the mesh or add its address to a rule`
      : `${connection.sourceIdentity}; add the principal to a rule`;
  const reason = `no ALLOW policy of ${policies} matched: source ${source}`;
  return { allowed: false, policy: undefined, rule: undefined, reason };
}
