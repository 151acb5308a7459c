// The page stays open while dev is killed and started again; whoever runs this kills on `answered` and writes a line once
// dev serves again.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import process from 'node:process';

export async function survival(person) {
  const offline = person.page.locator('#offline');
  await person.opens('echo');
  await person.says('before');
  const before = await person.counted('before');
  process.stdout.write('answered\n');
  await offline.waitFor();
  await once(process.stdin, 'data');
  process.stdin.destroy();
  await offline.waitFor({ state: 'hidden' });
  await person.says('after');
  assert.equal(await person.counted('after'), before + 1);
}
