import fc from 'fast-check';
import { test } from 'tap';
import { decodeCertificateRequest } from './certificate-message.ts';
import { decodeDeltaRequest, decodeDeltaResponse } from './delta-message.ts';
import { meshResource } from '../testing/mesh-arbitrary.ts';
import {
  decodeResource,
  encodeResource,
  RESOURCE_TYPES,
  resourceName,
  resourceType,
} from './mesh-resource.ts';
import { MessageError } from './messages.ts';
import { parseSnapshot } from './snapshot-file.ts';
import { InvalidField } from './wire-fields.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? '1');
const options = { interruptAfterTimeLimit: (seconds * 1000) / 4, numRuns: Number.MAX_SAFE_INTEGER };

test('every valid resource comes back as it was sent', t => {
  const property = fc.property(meshResource, resource => {
    const decoded = decodeResource(resourceType(resource), resourceName(resource), encodeResource(resource));
    if (!decoded.ok) throw new Error(decoded.reason);
    return JSON.stringify(plain(decoded.resource)) === JSON.stringify(plain(resource));
  });
  fc.assert(property, options);
  t.pass('property held');
  t.end();
});

test('a damaged resource is rejected with a reason or accepted, and nothing else happens', t => {
  const property = fc.property(
    meshResource,
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
    (resource, changes) => {
      const bytes = encodeResource(resource);
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
      const decoded = decodeResource(resourceType(resource), resourceName(resource), bytes);
      return decoded.ok || decoded.reason !== '';
    },
  );
  fc.assert(property, options);
  t.pass('property held');
  t.end();
});

test('random bytes are refused by every decoder with one of its own errors', t => {
  const decoders = [
    decodeDeltaRequest,
    decodeDeltaResponse,
    decodeCertificateRequest,
    (bytes: Uint8Array) => RESOURCE_TYPES.map(type => decodeResource(type, 'x', bytes)),
  ];
  const property = fc.property(fc.uint8Array({ maxLength: 512 }), bytes => {
    for (const decode of decoders) {
      try {
        decode(Buffer.from(bytes));
      } catch (error) {
        if (!(error instanceof MessageError) && !(error instanceof InvalidField)) throw error;
      }
    }
  });
  fc.assert(property, options);
  t.pass('property held');
  t.end();
});

test('a snapshot of random bytes is refused with an error', t => {
  const property = fc.property(fc.uint8Array({ maxLength: 256 }), bytes => {
    try {
      parseSnapshot(Buffer.concat([Buffer.from('AMBIENT-SNAPSHOT'), bytes]), () => undefined);
      return false;
    } catch (error) {
      return error instanceof Error;
    }
  });
  fc.assert(property, options);
  t.pass('property held');
  t.end();
});

function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, v: unknown) => {
      if (v instanceof Map) return [...v].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
      return typeof v === 'object' && v !== null && !Array.isArray(v)
        ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
        : v;
    }),
  );
}
