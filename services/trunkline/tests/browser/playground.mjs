// Talks to a bot through Microsoft's Agents Playground: node playground.mjs PAGE echo|poll
import { inBrowser } from './browser.mjs';

const [page, conversation] = process.argv.slice(2);

async function say(page, text) {
  const composer = page.getByRole('textbox').first();
  await composer.click();
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
}

async function reads(page, text) {
  await page.getByText(text, { exact: false }).first().waitFor();
}

const conversations = {
  async echo(page) {
    await say(page, 'hello');
    await reads(page, '1. hello');
    await say(page, 'again');
    await reads(page, '2. again');
  },
  async poll(page) {
    await say(page, 'poll Lunch? Soup, Salad');
    await reads(page, 'Lunch?');
    const votes = page.getByText('1', { exact: true });
    if ((await votes.count()) > 0) throw new Error('there is a vote before anybody pressed');
    await page.getByRole('button', { name: 'Soup' }).first().click();
    await votes.first().waitFor();
  },
};

await inBrowser({ viewport: { width: 1280, height: 900 } }, async (browserPage) => {
  await browserPage.goto(page, { waitUntil: 'domcontentloaded' });
  await browserPage.getByRole('textbox').first().waitFor();
  // The playground greets the bot first and drops what is typed before that.
  await reads(browserPage, 'conversationUpdate');
  await conversations[conversation](browserPage);
});
