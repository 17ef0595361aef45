/** Behind what is there under the key. */
export function addTo<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  map.getOrInsertComputed(key, () => []).push(value);
}
