// A person at the chat page of `trunkline dev`: node chat.mjs PAGE SCENARIO [DIRECTORY]
import { inBrowser } from './browser.mjs';
import * as bots from './chat/bots.mjs';
import * as deeds from './chat/deeds.mjs';
import { guard } from './chat/guard.mjs';
import { hostile } from './chat/hostile.mjs';
import { markdown } from './chat/markdown.mjs';
import * as sound from './chat/sound.mjs';
import { Person } from './chat/person.mjs';
import { screenshots } from './chat/screenshots.mjs';
import { survival } from './chat/survival.mjs';
import { telephone } from './chat/telephone.mjs';

const scenarios = { ...bots, ...deeds, hostile, markdown, screenshots, survival, telephone, ...sound.scenarios };
const [address, scenario, directory] = process.argv.slice(2);

const flags = sound.flags[scenario]?.(directory) ?? [];

await inBrowser({ viewport: { width: 1280, height: 860 }, flags }, async (page) => {
  const assertNothingWrong = await guard(page);
  await page.goto(address);
  await scenarios[scenario](new Person(page), directory);
  assertNothingWrong();
});
