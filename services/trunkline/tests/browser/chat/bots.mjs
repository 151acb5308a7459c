// Conversations with the example bots.

import assert from 'node:assert/strict';

/** The echo bot counts what it hears, for each person apart. */
export async function echo(person) {
  await person.opens('echo');
  await person.says('hello');
  const count = await person.counted('hello');
  await person.says('once more');
  assert.equal(await person.counted('once more'), count + 1);
  await byKeyboard(person);
}

/** The list of conversations is drawn anew when an answer comes; who walks it by keyboard stays where they were. */
async function byKeyboard(person) {
  const entry = person.at('conversation-item').filter({ hasText: 'booking' });
  await entry.focus();
  await person.saysElsewhere(0, 'by keyboard');
  await person.counted('by keyboard');
  await person.page.keyboard.press('Enter');
  await person.at('conversation-title').filter({ hasText: 'booking' }).waitFor();
}

/** A dialog over several turns, its suggestions, a card, and the button that takes everything back. */
export async function booking(person) {
  await person.opens('booking');
  await person.says('book');
  await person.reads('Which city?');
  await person.says('Turin');
  await person.reads('How many people in Turin?');
  await person.says('a few');
  await person.reads('A number from 1 to 20, please.');
  await person.says('4');
  await person.reads('Which one?');
  const room = await person.at('suggested-action').first().innerText();
  await person.at('suggested-action').first().click();
  const card = person.at('message-card').last();
  for (const fact of ['Booked', room, 'Turin', '4']) await card.getByText(fact, { exact: true }).waitFor();
  await person.presses('Cancel the room');
  await person.at('message-card').filter({ hasText: 'Cancelled' }).waitFor();
  assert.equal(await person.at('card-button').count(), 0, 'the card that was answered still has its button');
}

/** Two people vote in the group chat; each sees the other's vote on the card. */
export async function poll(person) {
  const votes = (soup, salad) => person.at('message-card').filter({ hasText: new RegExp(`Soup\\s*${soup}\\s*Salad\\s*${salad}`) });
  await person.opens('Lunch and roadmaps');
  await person.mentions('poll', 'poll Lunch? Soup, Salad');
  await votes(0, 0).waitFor();
  await person.presses('Soup');
  await votes(1, 0).waitFor();
  await person.becomes('Tomasz Okafor');
  await votes(1, 0).waitFor();
  await person.presses('Salad');
  await votes(1, 1).waitFor();
  await person.becomes('Ines Marchetti');
  await votes(1, 1).waitFor();
  await person.presses('Salad');
  await votes(0, 2).waitFor();
}

/** A streamed answer is labelled; another one is stopped and stays as it is. */
export async function assistant(person) {
  await person.opens('assistant');
  await person.says('Where do I get a badge?');
  await person.answer('badge').filter({ hasText: 'AI generated' }).waitFor();
  await stopsAnAnswer(person);
  await person.at('stop-button').waitFor({ state: 'detached' });
  await person.says('forget');
  await person.reads('Forgotten.');
}

// The answer may be complete before the button is reached on a busy machine: then another question is asked.
async function stopsAnAnswer(person) {
  await person.page.evaluate(pressStopAtOnce);
  for (let question = 1; question <= 10; question += 1) {
    await person.says(`Who signs form ${question}?`);
    const answer = person.answer(`${question} `);
    await answer.filter({ hasText: /AI generated|Stopped/ }).waitFor();
    if (await answer.filter({ hasText: 'Stopped' }).count()) return;
  }
  assert.fail('ten answers were complete before Stop was pressed');
}

// Runs in the page: presses Stop as soon as there is one.
function pressStopAtOnce() {
  new MutationObserver(() => document.querySelector('[data-testid=stop-button]')?.click())
    .observe(document.getElementById('messages'), { subtree: true, childList: true });
}
