const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.{0,200})?$/;

/** W3C Trace Context §3.2: version ff and ids of zeros are invalid, version 00 has nothing behind its flags. */
export function isTraceparent(text: string): boolean {
  const parts = TRACEPARENT.exec(text);
  if (parts === null) return false;
  const [, version = '', traceId = '', parentId = '', rest] = parts;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return false;
  return !/^0+$/.test(traceId) && !/^0+$/.test(parentId);
}
