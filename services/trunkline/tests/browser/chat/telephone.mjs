// A person rings a bot from its chat: hears the prompts, presses keys, is handed on to a colleague.

import assert from 'node:assert/strict';
import { join } from 'node:path';

/** Ines calls the reception and presses 1; Tomasz picks up. A picture of each step. */
export async function telephone(person, directory) {
  const picture = (name) => person.page.screenshot({ path: join(directory, `telephone-${name}.png`) });
  const inState = (state) => person.page.locator(`[data-testid=call][data-state=${state}]`);

  await person.opens('reception');
  await person.at('call-button').click();
  await inState('established').waitFor();
  await hears(person, 'welcome.wav');
  await picture('prompt');
  await hears(person, 'menu.wav');
  await person.page.locator('[data-testid=call-key][data-key="1"]').click();
  await inState('transferring').waitFor();
  await picture('handed-on');

  await person.becomes('Tomasz Okafor');
  await person.at('pick-up-button').waitFor();
  assert.match(await person.at('call-title').innerText(), /reception hands on/);
  await picture('rung');
  await person.at('pick-up-button').click();
  await person.at('pick-up-button').waitFor({ state: 'detached' });

  await person.becomes('Ines Marchetti');
  await person.at('call-state').filter({ hasText: 'Handed on to Tomasz Okafor' }).waitFor();
  await picture('over');
  await person.at('call-dismiss').click();
  await person.at('call').waitFor({ state: 'detached' });
}

/** The prompt of this name is shown and sounds. */
async function hears(person, name) {
  await person.at('call-prompt').filter({ hasText: name }).waitFor();
  await person.page.waitForFunction((name) => {
    const audio = document.querySelector('[data-testid=call-audio]');
    return audio.src.endsWith(name) && audio.currentTime > 0;
  }, name);
}
