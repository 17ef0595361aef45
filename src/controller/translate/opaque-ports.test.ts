import { test } from 'tap';
import { isOpaque, readOpaquePorts } from './opaque-ports.ts';

const ROWS: readonly [string, readonly string[], readonly number[], readonly string[]][] = [
  ['a number', ['3306'], [3306], []],
  ['several, with spaces', [' 25', '587 ', ''], [25, 587], []],
  ['a range', ['4000-4002'], [4000, 4001, 4002], []],
  ['a name', ['mysql'], [3306], []],
  ['all ports', ['1-65535'], [25, 587, 3306, 4000, 4001, 4002], []],
  ['none', [], [], []],
  ['a range turned round', ['9-1', '25'], [25], ['9-1']],
  ['a port there is not', ['0', '70000', '1-99999'], [], ['0', '70000', '1-99999']],
  ['no name of a port', ['MySQL', 'a_b', '25/tcp'], [], ['MySQL', 'a_b', '25/tcp']],
];
const PORTS = [25, 587, 3306, 4000, 4001, 4002].map(port => ({ port, name: port === 3306 ? 'mysql' : '' }));

test('ports that are not looked into, by number, range and name', t => {
  for (const [name, items, expected, wrong] of ROWS) {
    const read = readOpaquePorts(items);
    const opaque = PORTS.filter(port => isOpaque(read.ports, port)).map(({ port }) => port);
    t.same(opaque, expected, name);
    t.same(read.wrong, wrong, name);
  }
  t.end();
});
