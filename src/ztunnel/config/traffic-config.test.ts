import { test } from 'tap';
import { readConfig } from '../config.ts';

const DEDICATED = {
  PROXY_MODE: 'dedicated',
  PROXY_WORKLOAD_INFO: 'shop/orders-0/orders',
  XDS_ADDRESS: '127.0.0.1:15012',
};

test('ENABLE_ORIG_SRC in dedicated mode', t => {
  const originalSource = (env: Record<string, string>): boolean =>
    readConfig({ ...DEDICATED, ...env }).traffic.originalSource;
  t.equal(originalSource({ LISTEN_IP: '127.1.2.3' }), false, 'is off unless asked for');
  t.equal(originalSource({ LISTEN_IP: '127.1.2.3', ENABLE_ORIG_SRC: 'true' }), true, 'works on loopback');
  t.throws(
    () => originalSource({ LISTEN_IP: '10.0.0.1', ENABLE_ORIG_SRC: 'true' }),
    { message: /ENABLE_ORIG_SRC.*LISTEN_IP of 127\.0\.0\.0\/8/ },
    'and is refused elsewhere, where no answer would find its way back',
  );
  t.end();
});

test('CONGESTION_CONTROL', t => {
  const congestionControl = (env: Record<string, string>): string =>
    readConfig({ ...DEDICATED, ...env }).congestionControl;
  t.equal(congestionControl({}), 'auto');
  t.equal(congestionControl({ CONGESTION_CONTROL: 'cubic' }), 'cubic');
  t.throws(() => congestionControl({ CONGESTION_CONTROL: 'no such' }), {
    message: /CONGESTION_CONTROL.*"no such" is no name of a congestion control; use auto, node/,
  });
  t.end();
});
