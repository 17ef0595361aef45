import { constants } from 'node:os';
import { type NetlinkRequest, routeNetlinkChecked } from '#shared/native/netlink.ts';
import { AddressFamily } from '#shared/native/platform.ts';
import type { IpFamily } from '#shared/native/socket-address.ts';
import { APPLICATION_MARK, MARK_MASK } from '#shared/native/socket-factory.ts';

/** Table that holds one route: everything is local. */
const LOCAL_ROUTE_TABLE = 100;
/** Before the main table (32766), after what a CNI plugin may have put in front. */
const RULE_PRIORITY = 32764;
/** The loopback interface is the first of every namespace. */
const LOOPBACK_INDEX = 1;

/** include/uapi/linux/rtnetlink.h, fib_rules.h */
const MessageType = { newRoute: 24, delRoute: 25, newRule: 32, delRule: 33 } as const;
const CREATE_EXCLUSIVE = 0x400 | 0x200;
const RuleAttribute = { priority: 6, mark: 10, table: 15, mask: 16 } as const;
const RouteAttribute = { outputInterface: 4, table: 15 } as const;
const ACTION_TO_TABLE = 1;
const PROTOCOL_STATIC = 4;
const SCOPE_HOST = 254;
const TYPE_LOCAL = 2;

const { EEXIST, ENOENT, ESRCH, EAFNOSUPPORT, EOPNOTSUPP, EACCES } = constants.errno;
/** What the kernel answers where IPv6 is built out, or disabled for the namespace. */
const NO_IPV6: readonly number[] = [EAFNOSUPPORT, EOPNOTSUPP, EACCES];
const GONE: readonly number[] = [ENOENT, ESRCH];

/**
 * Makes replies to a spoofed client address come back to the proxy's socket instead of leaving the pod: packets with
 * the application's mark look up table 100, in which every address is local. In the calling thread's namespace; idempotent.
 * @returns what had been missing, by name; throws `SystemCallError`.
 */
export function ensureLocalRoute(): string[] {
  const missing: string[] = [];
  for (const family of [4, 6] as const) {
    for (const [name, request] of requests(family, 'add')) {
      const accepted = family === 6 ? [EEXIST, ...NO_IPV6] : [EEXIST];
      if (routeNetlinkChecked(request, accepted) === 0) missing.push(name);
    }
  }
  return missing;
}

/** Undoes `ensureLocalRoute`; what is gone already is fine. */
export function removeLocalRoute(): void {
  for (const family of [4, 6] as const) {
    for (const [, request] of requests(family, 'remove')) {
      routeNetlinkChecked(request, family === 6 ? [...GONE, ...NO_IPV6] : GONE);
    }
  }
}

function requests(family: IpFamily, verb: 'add' | 'remove'): [name: string, request: NetlinkRequest][] {
  const route = `IPv${family} local route of table ${LOCAL_ROUTE_TABLE}`;
  const rule = `IPv${family} rule for mark 0x${APPLICATION_MARK.toString(16)}`;
  return [
    [route, { ...routeMessage(family, verb), purpose: `${verb} the ${route}` }],
    [rule, { ...ruleMessage(family, verb), purpose: `${verb} the ${rule}` }],
  ];
}

/** `struct rtmsg` */
function routeMessage(family: IpFamily, verb: 'add' | 'remove'): Omit<NetlinkRequest, 'purpose'> {
  const scope = family === 4 ? SCOPE_HOST : 0;
  const header = Buffer.alloc(12);
  header.set([domain(family), 0, 0, 0, LOCAL_ROUTE_TABLE, PROTOCOL_STATIC, scope, TYPE_LOCAL]);
  return {
    type: verb === 'add' ? MessageType.newRoute : MessageType.delRoute,
    flags: verb === 'add' ? CREATE_EXCLUSIVE : 0,
    header,
    attributes: [
      { type: RouteAttribute.table, value: LOCAL_ROUTE_TABLE },
      { type: RouteAttribute.outputInterface, value: LOOPBACK_INDEX },
    ],
  };
}

/** `struct fib_rule_hdr` */
function ruleMessage(family: IpFamily, verb: 'add' | 'remove'): Omit<NetlinkRequest, 'purpose'> {
  const header = Buffer.alloc(12);
  header.set([domain(family), 0, 0, 0, LOCAL_ROUTE_TABLE, 0, 0, ACTION_TO_TABLE]);
  return {
    type: verb === 'add' ? MessageType.newRule : MessageType.delRule,
    flags: verb === 'add' ? CREATE_EXCLUSIVE : 0,
    header,
    attributes: [
      { type: RuleAttribute.priority, value: RULE_PRIORITY },
      { type: RuleAttribute.mark, value: APPLICATION_MARK },
      { type: RuleAttribute.mask, value: MARK_MASK },
      { type: RuleAttribute.table, value: LOCAL_ROUTE_TABLE },
    ],
  };
}

function domain(family: IpFamily): number {
  return family === 4 ? AddressFamily.inet : AddressFamily.inet6;
}
