// Somebody at the chat page: what a person does there and waits to see, by the page's own handles (docs/chat-page.md of the
// simulated Teams). Nothing here waits for a time, everything for what is shown.

export class Person {
  constructor(page) {
    this.page = page;
  }

  at(handle) {
    return this.page.getByTestId(handle);
  }

  /** Opens the conversation of this name. */
  async opens(name) {
    await this.at('conversation-item').filter({ has: this.page.getByText(name, { exact: true }) }).click();
    await this.at('conversation-title').filter({ hasText: name }).waitFor();
  }

  /** From now on the page acts for somebody else. */
  async becomes(name) {
    await this.at('person-switcher').selectOption({ label: name });
  }

  async says(text) {
    await this.at('composer').fill(text);
    await this.at('send-button').click();
    // Gone from the composer and on the screen: the next words do not mix with these.
    await this.own(text.replace(/^@/, '')).waitFor();
  }

  /** Picks a name from the menu of the composer, then says the rest. */
  async mentions(name, rest) {
    await this.at('mention-button').click();
    await this.at('mention-option').filter({ hasText: name }).click();
    await this.page.keyboard.type(rest);
    await this.page.keyboard.press('Enter');
    await this.own(rest).waitFor();
  }

  /** Somebody (by number) says something in the open conversation, at another screen: nothing on this one is touched. */
  async saysElsewhere(number, text) {
    await this.page.evaluate(async (action) => {
      const { act } = await import('/page/api.js');
      const { state } = await import('/page/state.js');
      await act({ do: 'say', conversation: state.conversation, ...action });
    }, { person: number, text });
  }

  /** Own messages with these words; the newest. */
  own(text) {
    return this.at('message').and(this.page.locator('[data-from=me]')).filter({ hasText: text }).last();
  }

  /** Messages of bots with these words; the newest. */
  answer(text) {
    return this.at('message').and(this.page.locator('[data-from=bot]')).filter({ hasText: text }).last();
  }

  async reads(text) {
    await this.answer(text).waitFor();
  }

  /** The count at which the echo bot has answered `text`. */
  async counted(text) {
    const answer = this.answer(new RegExp(`\\d+\\. ${text}`)).getByTestId('message-text');
    return Number((await answer.innerText()).split('.')[0]);
  }

  /** Uses a tool of a message; they are shown while it is pointed at. */
  async uses(message, tool) {
    await message.hover();
    await message.getByTestId(tool).click();
  }

  async reacts(message, reaction) {
    await message.hover();
    await message.getByTestId('reaction-button').and(this.page.locator(`[data-reaction=${reaction}]`)).click();
  }

  /** Presses a button of the newest card that has it. */
  async presses(title) {
    await this.at('card-button').filter({ hasText: title }).last().click();
  }

  /** Chooses from the menu of the conversation; done when the menu offers it no more. */
  async chooses(handle, name) {
    await this.at('conversation-menu').click();
    const item = this.at(handle).filter({ hasText: name });
    await item.click();
    await item.waitFor({ state: 'detached' });
  }

  /** Makes the Connector work badly, or well again. */
  async makesWeather(label) {
    const set = this.page.waitForResponse((answer) => answer.url().endsWith('/api/faults'));
    await this.at('fault-select').selectOption({ label });
    await set;
  }
}
