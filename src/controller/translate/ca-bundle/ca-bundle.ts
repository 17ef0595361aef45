import { ChannelError } from '#shared/engine/channel.ts';
import { checkRoots } from '#shared/engine/tls-material.ts';
import type { KubeObject } from '../../source/kube-object.ts';
import { Diagnostics, type Translated } from '../diagnostic.ts';
import { objectAt, textAt } from '../loose-fields.ts';

/** Where a ConfigMap has authorities, as Gateway API wants them. */
export const CA_BUNDLE_KEY = 'ca.crt';
const FIELD = `data.${CA_BUNDLE_KEY}`;

/**
 * The certificates of a ConfigMap, PEM, without what may stand between them. Most ConfigMaps hold none: what is wrong is said
 * of whoever refers to it.
 */
export function translateCaBundle(object: KubeObject): Translated<string> {
  const diagnostics = new Diagnostics(object);
  const text = textAt(objectAt(object.body, 'data'), CA_BUNDLE_KEY);
  if (text === undefined) {
    diagnostics.reject(FIELD, undefined, 'is required', 'put the authorities there, as PEM');
    return diagnostics.conclude('');
  }
  try {
    return diagnostics.conclude(checkRoots(text).join('\n'));
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    // What is no certificate is not shown: it may be a key.
    diagnostics.reject(
      FIELD,
      `${text.length} characters`,
      error.message,
      'put the authorities there, as PEM',
    );
    return diagnostics.conclude('');
  }
}
