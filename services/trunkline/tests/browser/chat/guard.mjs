// What no scenario may see: an error in the page, a wall of its content policy touched, a request that leaves the machine.

const OWN_HOST = '127.0.0.1';

/** Watches a page; the result throws when something was wrong until then. */
export async function guard(page) {
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`the page threw: ${error.message}`));
  page.on('dialog', (dialog) => {
    complaints.push(`a dialog opened: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) complaints.push(message.text());
  });
  await page.context().route((url) => url.protocol.startsWith('http') && url.hostname !== OWN_HOST, (route) => {
    complaints.push(`a request to ${route.request().url()}`);
    return route.abort();
  });
  return () => {
    if (complaints.length > 0) throw new Error(complaints.join('\n'));
  };
}
