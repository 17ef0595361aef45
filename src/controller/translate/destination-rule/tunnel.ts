import type { ForwardTunnel } from '#shared/route/traffic-policy.ts';
import { canonicalIp, formatHostPort } from '#shared/workload/ip.ts';
import type { Fields } from '../decode.ts';
import { HOST_NAME } from '../service-entry/host-name.ts';

/** Where an endpoint of the rule's host, a forward proxy, is asked to connect to. */
export function readTunnel(fields: Fields): ForwardTunnel {
  const method = fields.oneOf('protocol', ['CONNECT', 'POST']) ?? 'CONNECT';
  const text = fields.requiredString('targetHost');
  const host = canonicalIp(text) ?? text.toLowerCase();
  if (text !== '' && canonicalIp(text) === undefined && !HOST_NAME.test(host))
    fields.reject('targetHost', 'is no host name and no IP address', 'write such as example.com');
  const port = fields.port('targetPort');
  if (port === undefined && !fields.has('targetPort'))
    fields.reject('targetPort', 'is required', 'set the port of targetHost');
  return { method, target: formatHostPort(host, port ?? 0) };
}
