// Pictures for eyes: every kind of conversation, wide and narrow, light and dark. What a program can see is checked here:
// nothing sticks out of the window.

import assert from 'node:assert/strict';
import { join } from 'node:path';

const WINDOWS = { wide: { width: 1280, height: 860 }, narrow: { width: 390, height: 844 } };
const PLACES = ['echo', 'booking', 'poll', 'assistant', 'Lunch and roadmaps', 'General'];

export async function screenshots(person, directory) {
  await fill(person);
  const { page } = person;
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    for (const [name, size] of Object.entries(WINDOWS)) {
      await page.setViewportSize(size);
      const take = async (what) => {
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${what} is too wide for the ${name} window`);
        await page.screenshot({ path: join(directory, `${name}-${colorScheme}-${what}.png`) });
      };
      for (const place of PLACES) {
        await list(person);
        if (place === 'echo') await take('list');
        await person.opens(place);
        await take(place.toLowerCase().replaceAll(' ', '-'));
      }
      await person.at('conversation-menu').click();
      await take('menu');
      await page.keyboard.press('Escape');
      await person.at('inspector-toggle').click();
      const entry = person.at('inspector-entry').first().getByRole('button').first();
      await entry.click();
      await take('inspector');
      await entry.click();
      await person.at('inspector-close').click();
    }
  }
}

/** On a narrow window the list and the conversation share the place. */
async function list(person) {
  if (await person.at('back-button').isVisible()) await person.at('back-button').click();
}

/** Something of everything to look at. */
async function fill(person) {
  await person.opens('echo');
  await person.says('hello');
  await person.counted('hello');
  await person.says('a longer line, which has to be broken on a narrow window, and anaddresswithoutanyplacetobreak.example/that/goes/on/and/on');
  await person.reads(/\d+\. a longer line/);
  await person.reacts(person.answer(/\d+\. a longer line/), 'like');
  await person.says('gone');
  await person.reads(/\d+\. gone/);
  await person.uses(person.own('gone'), 'delete-button');
  await person.own('This message was deleted.').waitFor();

  await person.opens('booking');
  await person.says('book Turin');
  await person.reads('How many people in Turin?');
  await person.says('4');
  await person.reads('Which one?');
  await person.at('suggested-action').first().click();
  await person.at('card-button').last().waitFor();
  await person.says('book Turin');
  await person.says('4');
  await person.at('suggested-action').first().waitFor();

  await person.opens('poll');
  await person.says('poll What shall we have for lunch on Friday? Soup of the day, A salad, Whatever the others have');
  await person.at('card-button').last().waitFor();
  await person.opens('assistant');
  await person.says('Where do I get a badge?');
  await person.answer('badge').filter({ hasText: 'AI generated' }).waitFor();
  await person.opens('Lunch and roadmaps');
  await person.mentions('poll', 'poll Lunch? Soup, Salad');
  await person.at('card-button').last().waitFor();
  await person.opens('General');
  await person.mentions('echo', 'hello channel');
  await person.at('thread').filter({ hasText: '1. hello channel' }).first().waitFor();
}
