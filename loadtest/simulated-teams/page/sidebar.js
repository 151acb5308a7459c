// The list of conversations.

import { avatar, clock, h, icon } from "./dom.js";
import { goTo, listen, mine, state, unread } from "./state.js";

export function mount(element, onChoose) {
  const draw = () => {
    const chats = mine().filter((conversation) => conversation.kind !== "channel");
    const channels = mine().filter((conversation) => conversation.kind === "channel");
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.conversation : null;
    element.replaceChildren(
      h("h2", {}, "Chats"), h("ul", {}, chats.sort(byActivity).map((conversation) => item(conversation, onChoose))),
      ...teams(channels, onChoose));
    if (focused) element.querySelector(`[data-conversation="${CSS.escape(focused)}"]`)?.focus();
  };
  listen((what) => {
    if (["world", "place", "messages", "typing"].includes(what)) draw();
  });
}

const last = (conversation) => state.messages.get(conversation.id)?.at(-1);
const byActivity = (one, other) => Number(last(other)?.id ?? 0) - Number(last(one)?.id ?? 0);

function teams(channels, onChoose) {
  const names = [...new Set(channels.map((channel) => channel.team))];
  return names.flatMap((team) => [
    h("h2", {}, team),
    h("ul", {}, channels.filter((channel) => channel.team === team).map((channel) => item(channel, onChoose))),
  ]);
}

function item(conversation, onChoose) {
  const message = last(conversation);
  const count = unread(conversation);
  const isOpen = conversation.id === state.conversation;
  const picture = conversation.kind === "personal" ? avatar(conversation.name, "bot", conversation.bot)
    : h("span", { class: "avatar place", "aria-hidden": "true" }, icon(conversation.kind === "channel" ? "hash" : "people"));
  const choose = () => { goTo(conversation.id); onChoose(); };
  return h("li", {}, h("button", {
    type: "button", class: `conversation${isOpen ? " open" : ""}${count && !isOpen ? " unread" : ""}`, "aria-current": isOpen ? "true" : null,
    "data-testid": "conversation-item", "data-conversation": conversation.id, "data-kind": conversation.kind, onclick: choose,
  }, picture, h("span", { class: "words" },
    h("span", { class: "line" }, h("span", { class: "name" }, conversation.name), message && h("time", {}, clock(message.id))),
    h("span", { class: "preview" }, preview(conversation, message))),
    count > 0 && !isOpen && h("span", { class: "count", "aria-label": `${count} unread` }, count)));
}

function preview(conversation, message) {
  if (!message) return conversation.kind === "personal" ? "Personal chat" : `${conversation.members.length} people`;
  const who = message.from.kind === "bot" ? "" : message.from.number === state.person ? "You: " : `${message.from.name.split(" ")[0]}: `;
  if (message.deleted) return `${who}deleted a message`;
  const text = message.text.replace(/<\/?at>/g, "").replace(/[*_`#>]/g, "").trim();
  return who + (text || "sent a card");
}
