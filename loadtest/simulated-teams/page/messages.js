// The messages of the conversation that is open. A message is rendered anew only when it changed, so that what somebody
// typed into a card stays while others talk.

import { act } from "./api.js";
import { attachment } from "./cards.js";
import { avatar, clock, h, icon, iconButton } from "./dom.js";
import { markdown, plain, xml } from "./markdown.js";
import { current, isMine, listen, state, tell, typists } from "./state.js";

const REACTIONS = { like: "\u{1F44D}", heart: "\u2764\uFE0F", laugh: "\u{1F606}", surprised: "\u{1F62E}", sad: "\u{1F625}", angry: "\u{1F621}" };

const rendered = new Map();
let editing = null;
let pane;
let atEnd = true;

export function mount(element) {
  pane = element;
  pane.addEventListener("scroll", () => { atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 80; }, { passive: true });
  // Suggested actions, a growing composer and pictures that load late move the end.
  const follow = new ResizeObserver(() => { if (atEnd) pane.scrollTop = pane.scrollHeight; });
  follow.observe(pane);
  listen((what, message) => {
    if (what === "world" || what === "place") {
      editing = null;
      draw({ toEnd: true });
    }
    if (what === "messages" && message.conversation === state.conversation) draw({ toEnd: isMine(message) });
    if (what === "typing") draw({});
  });
}

/** Does something and says what went wrong. */
export async function attempt(action) {
  try {
    return await act({ person: state.person, conversation: state.conversation, ...action });
  } catch (error) {
    tell("notice", error.message);
    return null;
  }
}

function draw({ toEnd }) {
  const conversation = current();
  const messages = conversation ? state.messages.get(conversation.id) ?? [] : [];
  const kept = new Set();
  const node = (message, place, all) => {
    const startsGroup = conversation.kind === "channel" || startsNewGroup(message, all[place - 1]);
    const signature = JSON.stringify([message, state.person, startsGroup, editing === message.id]);
    kept.add(message.id);
    const old = rendered.get(message.id);
    if (old?.signature === signature) return old.element;
    const element = render(message, startsGroup);
    rendered.set(message.id, { signature, element });
    return element;
  };
  const children = !conversation ? [] : conversation.kind === "channel"
    ? threads(messages).map((thread) => threadBox(thread, node, kept))
    : messages.map((message, place) => node(message, place, messages));
  if (conversation && messages.length === 0) children.push(empty(conversation));
  const writing = typing(conversation);
  if (writing) children.push(writing);
  // Only what moved is touched: replacing a child would take away the focus.
  children.forEach((child, place) => {
    if (pane.children[place] !== child) pane.insertBefore(child, pane.children[place] ?? null);
  });
  while (pane.children.length > children.length) pane.lastElementChild.remove();
  for (const id of rendered.keys()) if (!kept.has(id)) rendered.delete(id);
  atEnd ||= toEnd;
  if (atEnd) pane.scrollTop = pane.scrollHeight;
}

function startsNewGroup(message, before) {
  return !before || before.from.kind !== message.from.kind || before.from.number !== message.from.number || Number(message.id) - Number(before.id) > 300000;
}

function threads(messages) {
  const byRoot = new Map();
  for (const message of messages) byRoot.set(message.thread, [...(byRoot.get(message.thread) ?? []), message]);
  return [...byRoot].map(([root, posts]) => ({ root, posts }));
}

function threadBox({ root, posts }, node, kept) {
  const key = `thread ${root}`;
  kept.add(key);
  const box = rendered.get(key)?.element ?? h("section", { class: "thread", "data-testid": "thread", "data-thread": root, "aria-label": "Thread" });
  rendered.set(key, { element: box });
  const reply = box.querySelector(":scope > .thread-reply") ?? replyBox(root);
  const wanted = [...posts.map((post, place) => node(post, place, posts)), reply];
  wanted.forEach((child, place) => {
    if (box.children[place] !== child) box.insertBefore(child, box.children[place] ?? null);
  });
  while (box.children.length > wanted.length) box.lastElementChild.remove();
  return box;
}

function replyBox(root) {
  const input = h("input", { type: "text", placeholder: "Reply in thread", "aria-label": "Reply in thread", "data-testid": "thread-composer", autocomplete: "off", list: "mentions" });
  const send = async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    await attempt({ do: "say", conversation: `${state.conversation};messageid=${root}`, text });
  };
  return h("form", { class: "thread-reply", onsubmit: send }, icon("reply"), input,
    h("button", { type: "submit", class: "icon-button", "aria-label": "Send reply", title: "Send reply", "data-testid": "thread-send-button" }, icon("send")));
}

function empty(conversation) {
  const bot = state.bots[conversation.bot];
  const words = bot
    ? [`This is your chat with ${bot.name}.`, "Say something, and see what it answers."]
    : [`Nothing has been said in ${conversation.name} yet.`, `Mention a bot with @${state.bots[0]?.name ?? "its name"}: here bots hear only what mentions them.`];
  return h("div", { class: "empty", "data-testid": "empty-conversation" }, icon(bot ? "bot" : "people"), h("p", { class: "lead" }, words[0]), h("p", {}, words[1]));
}

function typing(conversation) {
  const bots = conversation ? typists(conversation.id) : [];
  if (bots.length === 0) return null;
  return h("div", { class: "typing", "data-testid": "typing-indicator", role: "status" },
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), `${bots.map((bot) => bot.name).join(", ")} is typing`);
}

function render(message, startsGroup) {
  const own = isMine(message);
  const from = own ? "me" : message.from.kind;
  const item = h("article", {
    class: `message ${from}${startsGroup ? " first" : ""}`, "data-testid": "message", "data-from": from, "data-id": message.id,
    "aria-label": `${message.from.name}, ${clock(message.id)}`,
  });
  const named = !own || message.thread !== undefined;
  const picture = startsGroup && named ? avatar(message.from.name, message.from.kind, message.from.number) : h("span", { class: "no-avatar" });
  const head = startsGroup && h("header", {}, named && h("span", { class: "name" }, message.from.name),
    message.from.kind === "bot" && h("span", { class: "badge" }, "Bot"),
    h("time", {}, clock(message.id)));
  item.append(picture, h("div", { class: "column" }, head || null, body(message, own), foot(message)));
  return item;
}

function body(message, own) {
  if (editing === message.id) return editor(message);
  if (message.deleted) {
    return h("div", { class: "bubble deleted", "data-testid": "message-text" }, "This message was deleted.",
      own && h("button", { type: "button", class: "link", "data-testid": "undelete-button", onclick: () => attempt({ do: "undelete", message: message.id }) }, icon("undo"), "Undo"));
  }
  const parts = [];
  if (message.stream === "informative") {
    parts.push(h("div", { class: "bubble note", "data-testid": "message-text" }, h("span", { class: "spinner", "aria-hidden": "true" }), message.text));
  } else if (message.text) {
    const streaming = message.stream === "streaming";
    parts.push(h("div", { class: `bubble${streaming ? " streaming" : ""}`, "data-testid": "message-text" }, words(message), isGenerated(message) && h("span", { class: "badge generated" }, "AI generated")));
  }
  if (message.stream === "informative" || message.stream === "streaming") {
    parts.push(h("button", { type: "button", class: "stop", "data-testid": "stop-button", onclick: () => attempt({ do: "stopStream", message: message.id }) }, icon("stop"), "Stop"));
  }
  const mine = (message.replaced ?? []).find((replaced) => replaced.person === state.person);
  const items = (mine?.attachments ?? message.attachments ?? []).filter((item) => item.contentType !== "text/html");
  const press = (what) => pressed(message, what);
  if (items.length) {
    parts.push(h("div", { class: message.attachmentLayout === "carousel" ? "cards carousel" : "cards" }, items.map((item) => attachment(item, press))));
  }
  parts.push(tools(message, own));
  return h("div", { class: "content" }, parts);
}

const isGenerated = (message) => (message.entities ?? []).some((entity) => entity.additionalType?.includes?.("AIGeneratedContent"));

function words(message) {
  const mentions = (message.entities ?? []).filter((entity) => entity.type === "mention").map((entity) => entity.text);
  const format = message.textFormat ?? (message.from.kind === "bot" ? "markdown" : "plain");
  const text = format === "plain" ? plain(message.text, mentions) : format === "xml" ? xml(message.text) : markdown(message.text, mentions);
  return h("div", { class: "markdown" }, text);
}

async function pressed(message, press) {
  const result = await attempt({ do: "press", message: message.id, press });
  const invoke = result?.invoke;
  if (invoke?.outcome === "message" || invoke?.outcome === "failed") tell("notice", invoke.text);
  if (invoke?.outcome === "signIn") tell("notice", invoke.card?.text ?? "The bot asks you to sign in; this page has no sign-in.");
}

export { pressed };

function tools(message, own) {
  const bar = h("div", { class: "tools", role: "toolbar", "aria-label": "Message" });
  for (const [reaction, sign] of Object.entries(REACTIONS)) {
    const has = reacted(message, reaction);
    bar.append(h("button", {
      type: "button", class: "icon-button emoji", "aria-label": `React with ${reaction}`, title: reaction, "aria-pressed": has, "data-testid": "reaction-button", "data-reaction": reaction,
      onclick: () => attempt({ do: "react", message: message.id, reaction, added: !has }),
    }, sign));
  }
  if (own) {
    bar.append(iconButton("pencil", "Edit", { "data-testid": "edit-button", onclick: () => edit(message.id) }),
      iconButton("bin", "Delete", { "data-testid": "delete-button", onclick: () => attempt({ do: "delete", message: message.id }) }));
  }
  return bar;
}

const reacted = (message, reaction) =>
  (message.reactions ?? []).some((other) => other.reaction === reaction && other.from.kind === "person" && other.from.number === state.person);

function edit(id) {
  editing = id;
  draw({});
  pane.querySelector(".editor textarea")?.focus();
}

function editor(message) {
  const written = message.text.replace(/<at>(.*?)<\/at>/g, "@$1");
  const area = h("textarea", { rows: 2, "aria-label": "Edit the message", "data-testid": "edit-composer" });
  area.value = written;
  const done = () => { editing = null; draw({}); };
  const save = async () => {
    const text = area.value.trim();
    if (text && text !== written) await attempt({ do: "edit", message: message.id, text });
    done();
  };
  area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") done();
    if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); save(); }
  });
  return h("div", { class: "editor" }, area, h("div", { class: "row" },
    h("button", { type: "button", class: "quiet", "data-testid": "edit-cancel-button", onclick: done }, "Cancel"),
    h("button", { type: "button", class: "primary", "data-testid": "edit-save-button", onclick: save }, "Save")));
}

function foot(message) {
  const counts = new Map();
  for (const { reaction } of message.reactions ?? []) counts.set(reaction, (counts.get(reaction) ?? 0) + 1);
  const chips = [...counts].map(([reaction, count]) => h("button", {
    type: "button", class: `chip${reacted(message, reaction) ? " mine" : ""}`, "data-testid": "reaction", "data-reaction": reaction,
    "aria-label": `${reaction}, ${count}`, onclick: () => attempt({ do: "react", message: message.id, reaction, added: !reacted(message, reaction) }),
  }, REACTIONS[reaction] ?? emoji(reaction), count > 1 ? ` ${count}` : ""));
  const notes = [
    message.edited && !message.deleted && h("span", { class: "note" }, "Edited"),
    message.stream === "stopped" && h("span", { class: "note" }, "Stopped"),
    message.undelivered && h("span", { class: "undelivered", "data-testid": "undelivered" }, message.undelivered),
  ].filter(Boolean);
  return chips.length || notes.length ? h("footer", {}, chips, notes) : null;
}

// Newer reactions are named by code points: 1f440_eyes.
function emoji(reaction) {
  const code = parseInt(reaction.split("_")[0], 16);
  return code > 0xff && code <= 0x10ffff ? String.fromCodePoint(code) : reaction;
}
