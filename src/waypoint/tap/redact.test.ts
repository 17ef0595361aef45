import { test } from 'tap';
import { redactHeaders, redactPath } from './redact.ts';

test('what proves an identity is not shown', t => {
  t.same(
    redactHeaders([
      'accept',
      '*/*',
      'authorization',
      'Bearer s3cret',
      'cookie',
      'sid=s3cret',
      'x-id',
      'authorization',
    ]),
    ['accept', '*/*', 'authorization', '[redacted]', 'cookie', '[redacted]', 'x-id', 'authorization'],
  );
  t.equal(redactPath('/a?x=1&access_token=s3cret&y=2'), '/a?x=1&access_token=[redacted]&y=2');
  t.equal(redactPath('/a?API_KEY=s3cret'), '/a?API_KEY=[redacted]');
  t.equal(redactPath('/token=kept?mytoken=kept'), '/token=kept?mytoken=kept');
  t.end();
});
