// Starts headless Chromium for one script. The flags keep it from calling anybody but the page under test.
import { chromium } from 'playwright-core';

const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Runs `script(page)` in a fresh browser, with more flags if there are some, and ends it, whatever happens. */
export async function inBrowser({ flags = [], ...options }, script) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...quiet, ...flags],
  });
  try {
    const page = await browser.newPage(options);
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => {
      throw new Error(`the page threw: ${error.message}`);
    });
    await script(page);
  } finally {
    await browser.close();
  }
}
