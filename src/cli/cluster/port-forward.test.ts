import { test } from 'tap';
import { CliError } from '../cli-error.ts';
import { openingFailure } from './port-forward.ts';

/** [sentence, what the WebSocket library says, the line, whether it is the whole of it] */
const ROWS: readonly (readonly [string, string, RegExp, boolean])[] = [
  [
    'who may not open a port-forward is told which right it takes, not that the pod is down',
    'Unexpected server response: 403',
    /^you may not reach mesh\/ztunnel-1: .* right to create pods\/portforward in namespace mesh$/,
    true,
  ],
  [
    'a pod that was replaced meanwhile',
    'Unexpected server response: 404',
    /^cannot reach mesh\/ztunnel-1: the pod is gone$/,
    true,
  ],
  ['anything else', 'not open within 10 s', /^port-forward to mesh\/ztunnel-1: not open within 10 s$/, false],
];

test('why a port-forward was not opened', t => {
  for (const [sentence, reason, line, isWhole] of ROWS) {
    const failure = openingFailure('mesh', 'ztunnel-1', reason);
    t.match(failure.message, line, sentence);
    t.equal(failure instanceof CliError, isWhole, `${sentence}: with nothing about the container behind it`);
  }
  t.end();
});
