import { test } from 'tap';
import { FakeClock } from '#shared/testing/fake-clock.ts';
import { AwaitedHosts } from './awaited-hosts.ts';

const SERVICE = 'shop/*.vendor.test';

function lab() {
  const clock = new FakeClock();
  const told: string[] = [];
  const settled: string[] = [];
  const hosts = new AwaitedHosts(clock, wanted => void told.push(`${wanted.service} ${wanted.host}`));
  const wait = (host: string): (() => void) =>
    hosts.wait(SERVICE, host, failure => void settled.push(`${host} ${failure ?? 'there'}`));
  const change = (...known: readonly string[]): void =>
    hosts.onChange(new Set([SERVICE]), (_service, host) => known.includes(host));
  return { change, clock, hosts, settled, told, wait };
}

test('a host is asked for once, whoever waits for it, and all go on when it is there', t => {
  const { change, settled, told, wait } = lab();
  wait('a');
  wait('a');
  wait('b');
  t.same(told, [`${SERVICE} a`, `${SERVICE} b`]);
  change();
  t.same(settled, []);
  change('a');
  t.same(settled, ['a there', 'a there']);
  change('a', 'b');
  t.same(settled, ['a there', 'a there', 'b there'], 'each once');
  t.end();
});

test('who waits for what is not found is told why, and who comes later asks again', t => {
  const { hosts, settled, told, wait } = lab();
  const leave = wait('a');
  wait('a');
  leave();
  hosts.onFailed({ kind: 'host_failed', service: SERVICE, host: 'a', reason: 'no such name' });
  t.same(settled, ['a no such name'], 'who has left hears nothing');
  wait('a');
  t.equal(told.length, 2);
  hosts.onFailed({ kind: 'host_failed', service: 'other', host: 'a', reason: 'of another service' });
  t.equal(settled.length, 1);
  t.end();
});

test('of a host that is used is told once a minute; one that went is asked for at once', t => {
  const { change, clock, hosts, told, wait } = lab();
  wait('a');
  change('a');
  for (let s = 0; s < 150; s++) {
    clock.advance(1_000);
    hosts.use(SERVICE, 'a');
  }
  t.equal(told.length, 3, 'at 0, 60 and 120 s');
  change();
  wait('a');
  t.equal(told.length, 4);
  t.end();
});
