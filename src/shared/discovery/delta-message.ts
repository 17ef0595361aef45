import { MAX_MESSAGE_BYTES, messageCodec } from './messages.ts';
import { type Struct, structFromWire, structToWire } from './struct-wire.ts';
import {
  InvalidField,
  readBytes,
  readEntries,
  readFlag,
  readMessage,
  readMessages,
  readNumber,
  readText,
  readTexts,
  type WireFields,
} from './wire-fields.ts';

/** The messages of incremental aggregated discovery, as both ends see them. */

export interface DeltaRequest {
  readonly typeUrl: string;
  /** Only on the first message of a stream. */
  readonly node: DiscoveryNode | undefined;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Resource name → version: what the client still holds from an earlier stream. */
  readonly initialVersions: ReadonlyMap<string, string>;
  /** Of the response this answers; empty when it answers none. */
  readonly nonce: string;
  /** A NACK when set. */
  readonly error: { readonly code: number; readonly message: string } | undefined;
}

export interface DiscoveryNode {
  readonly id: string;
  readonly metadata: Struct;
}

export interface DeltaResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly systemVersion: string;
  readonly resources: readonly DeltaResource[];
  readonly removed: readonly string[];
  /** The rest of the same state comes in the next response: what is held until then is not the whole. */
  readonly moreFollows: boolean;
}

/** A resource still encoded: who subscribed to its type decodes it (`mesh-resource.ts`). */
export interface DeltaResource {
  readonly name: string;
  readonly version: string;
  /** On-demand names it answers to: `<network>/<ip>`. */
  readonly aliases: readonly string[];
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

const requestCodec = messageCodec('envoy.service.discovery.v3.DeltaDiscoveryRequest', MAX_MESSAGE_BYTES);
const responseCodec = messageCodec('envoy.service.discovery.v3.DeltaDiscoveryResponse', MAX_MESSAGE_BYTES);

export function encodeDeltaRequest(request: DeltaRequest): Buffer {
  return requestCodec.encode({
    node: request.node && { id: request.node.id, metadata: structToWire(request.node.metadata) },
    type_url: request.typeUrl,
    resource_names_subscribe: request.subscribe,
    resource_names_unsubscribe: request.unsubscribe,
    initial_resource_versions: Object.fromEntries(request.initialVersions),
    response_nonce: request.nonce,
    error_detail: request.error,
  });
}

/** @throws MessageError, InvalidField */
export function decodeDeltaRequest(bytes: Uint8Array): DeltaRequest {
  const wire = requestCodec.decode(bytes);
  const node = readMessage(wire, 'node');
  const error = readMessage(wire, 'error_detail');
  return {
    typeUrl: readText(wire, 'type_url'),
    node: node && {
      id: readText(node, 'id'),
      metadata: structFromWire(readMessage(node, 'metadata') ?? {}),
    },
    subscribe: readTexts(wire, 'resource_names_subscribe'),
    unsubscribe: readTexts(wire, 'resource_names_unsubscribe'),
    initialVersions: new Map(readEntries(wire, 'initial_resource_versions').map(versionEntry)),
    nonce: readText(wire, 'response_nonce'),
    error: error && { code: readNumber(error, 'code'), message: readText(error, 'message') },
  };
}

export function encodeDeltaResponse(response: DeltaResponse): Buffer {
  return responseCodec.encode({
    system_version_info: response.systemVersion,
    resources: response.resources.map(r => ({
      version: r.version,
      resource: { type_url: r.typeUrl, value: r.value },
      name: r.name,
      aliases: r.aliases,
    })),
    type_url: response.typeUrl,
    nonce: response.nonce,
    removed_resources: response.removed,
    more_follows: response.moreFollows,
  });
}

/** @throws MessageError, InvalidField. A resource without a body is kept, with no bytes: it is rejected alone later. */
export function decodeDeltaResponse(bytes: Uint8Array): DeltaResponse {
  const wire = responseCodec.decode(bytes);
  return {
    typeUrl: readText(wire, 'type_url'),
    nonce: readText(wire, 'nonce'),
    systemVersion: readText(wire, 'system_version_info'),
    resources: readMessages(wire, 'resources').map(resourceFromWire),
    removed: readTexts(wire, 'removed_resources'),
    moreFollows: readFlag(wire, 'more_follows'),
  };
}

function resourceFromWire(wire: WireFields): DeltaResource {
  const any = readMessage(wire, 'resource') ?? {};
  return {
    name: readText(wire, 'name'),
    version: readText(wire, 'version'),
    aliases: readTexts(wire, 'aliases'),
    typeUrl: readText(any, 'type_url'),
    value: readBytes(any, 'value'),
  };
}

function versionEntry([name, version]: readonly [string, unknown]): [string, string] {
  if (typeof version !== 'string')
    throw new InvalidField(`initial_resource_versions[${name}]`, 'is not a string');
  return [name, version];
}
