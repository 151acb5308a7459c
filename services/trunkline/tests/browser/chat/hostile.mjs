// What a bot writes is hostile: the echo bot says back what would be dangerous as HTML, and it must stay text.

import assert from 'node:assert/strict';

const ATTACKS = [
  '<img src=x onerror="window.attacked = true">',
  '<script>window.attacked = true</script>',
  '<svg onload="window.attacked = true"></svg>',
  '<iframe srcdoc="<script>parent.attacked = true</script>"></iframe>',
  '[press](javascript:window.attacked=true)',
  '<a href="javascript:window.attacked=true">press</a>',
  '[press](&#106;avascript:window.attacked=true)',
];

/** Attacks by way of the echo bot, a card, and every format that a text can have. */
export async function hostile(person) {
  await person.opens('echo');
  for (const attack of ATTACKS) {
    await person.says(attack);
    const shown = person.answer(attack).getByTestId('message-text');
    await shown.waitFor();
    const elements = await shown.locator('img, script, svg, iframe, [onerror], [onload], a[href^="javascript:"]').count();
    assert.equal(elements, 0, `elements were made of ${attack}`);
  }
  await inACard(person);
  for (const attack of ATTACKS) await person.page.evaluate(renderInEveryFormat, attack);
  for (const link of await person.page.locator('#messages a').all()) {
    assert.match(await link.getAttribute('href'), /^(https?|mailto):/);
  }
  assert.equal(await person.page.evaluate(() => window.attacked), undefined, 'a script of the bot ran');
}

/** The poll bot puts what people say into a card, which another renderer shows. */
async function inACard(person) {
  await person.opens('poll');
  const [image, script] = ATTACKS;
  await person.says(`poll ${image}? ${script}, other`);
  const card = person.at('message-card').last();
  await card.getByText(image).first().waitFor();
  assert.equal(await card.locator('img, script').count(), 0, 'elements were made of a text in a card');
}

// Runs in the page: shows a text in each format with the page's own renderer.
async function renderInEveryFormat(text) {
  const { markdown, plain, xml } = await import('/page/markdown.js');
  for (const render of [markdown, plain, xml]) document.getElementById('messages').append(render(text));
}
