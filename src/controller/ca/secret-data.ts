import { isJsonObject, type JsonObject } from '#shared/config/json.ts';

export interface SecretData {
  readonly resourceVersion: string;
  /** Decoded. */
  readonly data: ReadonlyMap<string, string>;
}

/** The texts of a Secret; values that are none are passed over. */
export function readSecret(secret: JsonObject): SecretData {
  const metadata = isJsonObject(secret['metadata']) ? secret['metadata'] : {};
  const data = isJsonObject(secret['data']) ? secret['data'] : {};
  const { resourceVersion } = metadata;
  return {
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    data: new Map(
      Object.entries(data)
        .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
        .map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
    ),
  };
}
