import { isJsonObject, type JsonObject, parseJson } from '#shared/config/json.ts';

/** An object that is a line of a stream or log; empty when the line is none. */
export function readJsonLine(line: string): JsonObject {
  try {
    const value = parseJson(line);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
