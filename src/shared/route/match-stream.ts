import type { CidrMatch } from '../authz/policy.ts';
import { type Cidr, inRanges, makeCidr } from '../workload/cidr.ts';
import type { IpBytes } from '../workload/ip.ts';
import { type CompiledSource, compileSource, matchesSource, type RouteCaller } from './compiled-match.ts';
import { compileHosts, matchesHost, type HostPatterns } from './host.ts';
import type { StreamMatch, StreamRule } from './stream-rule.ts';

/** What a stream rule may look at. */
export interface RoutedStream {
  /** `tls`: it began with a ClientHello. */
  readonly protocol: 'tcp' | 'tls';
  /** Of the ClientHello; empty when it named none. */
  readonly serverName: string;
  /** The address the client dialled, where it is known. */
  readonly destinationIp: IpBytes | undefined;
  /** Of the client, where it is known. */
  readonly sourceIp: IpBytes | undefined;
}

export interface StreamMatcher {
  /** The first rule that matches. Undefined: with `hasRulesFor` the connection is closed, else it goes to the service itself. */
  find(stream: RoutedStream, port: number, caller: RouteCaller): StreamRule | undefined;
  hasRulesFor(port: number, caller: RouteCaller): boolean;
  /** Whether the server name decides: then a connection to this port is peeked into before it is routed. */
  needsServerName(port: number): boolean;
}

interface CompiledStreamRule {
  readonly rule: StreamRule;
  readonly matches: readonly CompiledStreamMatch[];
}

interface CompiledStreamMatch {
  readonly serverNames: HostPatterns | undefined;
  readonly destinationIps: readonly Cidr[];
  readonly sourceIps: readonly Cidr[];
  readonly source: CompiledSource | undefined;
}

/** TLS rules go before TCP rules, for connections that are TLS; otherwise the first that matches is taken. */
export function compileStreamRules(rules: readonly StreamRule[]): StreamMatcher {
  const compiled = rules.map(rule => ({ rule, matches: rule.matches.map(compileStreamMatch) }));
  const tls = compiled.filter(({ rule }) => rule.protocol === 'tls');
  const tcp = compiled.filter(({ rule }) => rule.protocol === 'tcp');
  return {
    find(stream, port, caller) {
      const own = compiled.some(({ rule }) => isFor(rule, port, caller) && isConsumer(rule, caller));
      const found = stream.protocol === 'tls' ? first(tls, stream, port, caller, own) : undefined;
      return found ?? first(tcp, stream, port, caller, own);
    },
    hasRulesFor: (port, caller) =>
      rules.some(
        rule => isFor(rule, port, caller) && (rule.consumer === undefined || isConsumer(rule, caller)),
      ),
    needsServerName: port => tls.some(({ rule }) => isForPort(rule, port)),
  };
}

function compileStreamMatch(match: StreamMatch): CompiledStreamMatch {
  return {
    serverNames: compileHosts(match.serverNames),
    destinationIps: compileRanges(match.destinationIps),
    sourceIps: compileRanges(match.sourceIps),
    source: match.source && compileSource(match.source),
  };
}

/** A range that does not parse never reaches this far (the boundary refuses it). */
function compileRanges(ranges: readonly CidrMatch[]): readonly Cidr[] {
  return ranges.flatMap(range => makeCidr(range.ip, range.prefixLength) ?? []);
}

function first(
  rules: readonly CompiledStreamRule[],
  stream: RoutedStream,
  port: number,
  caller: RouteCaller,
  own: boolean,
): StreamRule | undefined {
  for (const { rule, matches } of rules) {
    if (!isFor(rule, port, caller) || (own ? !isConsumer(rule, caller) : rule.consumer !== undefined))
      continue;
    if (matches.length === 0 || matches.some(match => matchesStream(match, stream, caller))) return rule;
  }
  return undefined;
}

function isForPort(rule: StreamRule, port: number): boolean {
  return rule.ports.length === 0 || rule.ports.includes(port);
}

function isFor(rule: StreamRule, port: number, caller: RouteCaller): boolean {
  if (!isForPort(rule, port)) return false;
  if (rule.callers.length === 0) return true;
  return caller.namespace !== undefined && rule.callers.includes(caller.namespace);
}

function isConsumer(rule: StreamRule, caller: RouteCaller): boolean {
  return rule.consumer !== undefined && rule.consumer === caller.namespace;
}

function matchesStream(match: CompiledStreamMatch, stream: RoutedStream, caller: RouteCaller): boolean {
  if (match.serverNames !== undefined && !matchesHost(match.serverNames, stream.serverName)) return false;
  if (match.source !== undefined && !matchesSource(match.source, caller)) return false;
  return isWithin(match.destinationIps, stream.destinationIp) && isWithin(match.sourceIps, stream.sourceIp);
}

function isWithin(ranges: readonly Cidr[], ip: IpBytes | undefined): boolean {
  return ranges.length === 0 || inRanges(ranges, ip);
}
