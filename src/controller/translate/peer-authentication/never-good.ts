import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics } from '../diagnostic.ts';
import { type PeerAuthentication, readLoosely } from './peer-authentication.ts';

/**
 * What holds of a PeerAuthentication that was never good, where it is STRICT and its ports alone are wrong: that no port is
 * open to plaintext, those included for which it would make an exception. @returns undefined: nothing holds
 */
export function strictWhereNeverGood(object: KubeObject): PeerAuthentication | undefined {
  const diagnostics = new Diagnostics(object);
  const read = readLoosely(object, diagnostics);
  // Anything else may be the mode or the selector, misspelt.
  if (!diagnostics.isRejectedOnlyIn('spec.portLevelMtls') || read.mode !== 'strict') return undefined;
  return { ...read, portModes: new Map() };
}
