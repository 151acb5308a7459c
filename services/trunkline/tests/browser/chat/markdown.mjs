// The Markdown of bots as the page shows it, in a real browser: what the bot crate escapes must be read as it was meant.

import assert from 'node:assert/strict';

const SHOWN = {
  '**bold** and *slanted*': '<p><strong>bold</strong> and <em>slanted</em></p>',
  '\\*not slanted\\* and \\`no code\\`': '<p>*not slanted* and `no code`</p>',
  '1\\. no list': '<p>1. no list</p>',
  '1 &lt; 2 &amp;&amp; &#x41; &#66;': '<p>1 &lt; 2 &amp;&amp; A B</p>',
  '`&lt;`': '<p><code>&amp;lt;</code></p>',
  '&lt;b>not bold&lt;/b>': '<p>&lt;b&gt;not bold&lt;/b&gt;</p>',
  'https://example.com/a\\_b?c=1&amp;d=2': '<p><a href="https://example.com/a_b?c=1&amp;d=2" target="_blank" rel="noopener noreferrer">https://example.com/a_b?c=1&amp;d=2</a></p>',
};

export async function markdown(person) {
  for (const [written, shown] of Object.entries(SHOWN)) {
    assert.equal(await person.page.evaluate(render, written), shown);
  }
}

// Runs in the page.
async function render(text) {
  const { markdown: rendered } = await import('/page/markdown.js');
  const holder = document.createElement('div');
  holder.append(rendered(text));
  return holder.innerHTML;
}
