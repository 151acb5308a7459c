// What people do to messages and conversations beside talking.

import assert from 'node:assert/strict';

/** Edits, deletes, brings back; reacts to a bot and thinks better of it. */
export async function messages(person) {
  await person.opens('echo');
  await person.says('a tpyo');
  const answer = person.answer(/\d+\. a tpyo/);
  await answer.waitFor();

  await person.uses(person.own('a tpyo'), 'edit-button');
  await person.at('edit-composer').fill('a typo');
  await person.at('edit-save-button').click();
  const edited = person.own('a typo');
  await edited.filter({ hasText: 'Edited' }).waitFor();

  await person.uses(edited, 'delete-button');
  const deleted = person.own('This message was deleted.');
  await deleted.waitFor();
  assert.equal(await person.own('a typo').count(), 0, 'a deleted text is still shown');
  await deleted.getByTestId('undelete-button').click();
  await person.own('a typo').waitFor();

  await person.reacts(answer, 'heart');
  const heart = answer.getByTestId('reaction').and(person.page.locator('[data-reaction=heart]'));
  await heart.waitFor();
  await heart.click();
  await heart.waitFor({ state: 'detached' });
}

/** In a group the bot hears what mentions it, in a channel also within the thread, and counts each thread apart. */
export async function places(person) {
  await person.opens('Lunch and roadmaps');
  await person.mentions('echo', 'hello group');
  await person.reads(/\d+\. hello group/);

  await aDraftStaysWhereItWasBegun(person);

  await person.opens('General');
  await theMenuOfNamesStays(person);
  await person.mentions('echo', 'hello channel');
  const thread = person.at('thread').filter({ hasText: '1. hello channel' }).last();
  await thread.waitFor();
  await thread.getByTestId('thread-composer').fill('@echo hello thread');
  await somebodyElsePosts(person);
  await thread.getByTestId('thread-send-button').click();
  await thread.getByText('2. hello thread').waitFor();
}

/** Words for one place are not sent to another by mistake. */
async function aDraftStaysWhereItWasBegun(person) {
  const draft = () => person.at('composer').inputValue();
  await person.at('composer').fill('for the group only');
  await person.opens('General');
  assert.equal(await draft(), '');
  await person.opens('Lunch and roadmaps');
  assert.equal(await draft(), 'for the group only');
  await person.at('composer').fill('');
}

/** The button is outside the composer, which closes its menu a moment after it lost the focus. */
async function theMenuOfNamesStays(person) {
  await person.at('composer').focus();
  await person.at('mention-button').click();
  // Timers end in their order: one that would close the menu has ended before this one.
  await person.page.evaluate(() => new Promise((ended) => setTimeout(ended, 300)));
  assert.ok(await person.at('mention-option').first().isVisible(), 'the menu of names closed by itself');
  await person.at('composer').fill('');
}

/** What was typed into a thread stays while others talk. */
async function somebodyElsePosts(person) {
  await person.saysElsewhere(1, 'a post of Tomasz');
  await person.at('thread').filter({ hasText: 'a post of Tomasz' }).waitFor();
}

/** A bot that was removed hears nothing; installed again, it goes on. */
export async function installation(person) {
  await person.opens('echo');
  await person.says('before');
  const before = await person.counted('before');
  await person.chooses('uninstall-button', 'echo');
  await person.says('to nobody');
  await person.chooses('install-button', 'echo');
  await person.says('after');
  assert.equal(await person.counted('after'), before + 1, 'what was said meanwhile was heard, or the count was lost');
}

/** The inspector shows what went over the wire, and that all of it was accepted. */
export async function inspector(person) {
  await person.at('inspector-toggle').click();
  await person.opens('echo');
  await person.says('look inside');
  await person.reads(/\d+\. look inside/);
  await person.at('inspector-filter').selectOption('toBot');
  const entry = person.at('inspector-entry').first();
  await entry.getByRole('button').first().click();
  await entry.getByTestId('inspector-body').first().filter({ hasText: 'look inside' }).waitFor();
  const refused = await person.at('inspector-entry').evaluateAll((entries) =>
    entries.filter((entry) => !entry.dataset.status.startsWith('2')).map((entry) => entry.innerText));
  assert.deepEqual(refused, [], 'the bot did not accept everything');
  await badWeather(person);
  await person.at('inspector-close').click();
  await person.at('inspector').waitFor({ state: 'hidden' });
}

/** While the Connector refuses everything the answer waits; afterwards it comes. */
async function badWeather(person) {
  await person.makesWeather('Everything is unavailable (503)');
  await person.at('inspector-filter').selectOption('fromBot');
  await person.says('in the rain');
  await person.at('inspector-entry').and(person.page.locator('[data-status="503"]')).first().waitFor();
  assert.equal(await person.answer('in the rain').count(), 0);
  await person.makesWeather('The Connector is healthy');
  await person.reads(/\d+\. in the rain/);
}
