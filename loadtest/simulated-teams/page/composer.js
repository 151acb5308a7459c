// Writing a message, and the suggested actions above it.

import { h, icon } from "./dom.js";
import { attempt, pressed } from "./messages.js";
import { current, listen, me, state } from "./state.js";

let area;
let menu;
let choices;
let chosen = 0;

/** What was begun and not sent, by person and conversation. */
const drafts = new Map();
let place = null;

export function mount(form, suggestions) {
  area = h("textarea", { rows: 1, "data-testid": "composer", "aria-label": "Message", autocomplete: "off", "aria-autocomplete": "list", "aria-controls": "mention-menu" });
  menu = h("div", { id: "mention-menu", class: "mention-menu", role: "listbox", "aria-label": "Mention", hidden: true });
  const mention = h("button", { type: "button", class: "icon-button at", "aria-label": "Mention somebody", title: "Mention somebody", "data-testid": "mention-button", onclick: startMention }, "@");
  const button = h("button", { type: "submit", class: "icon-button send", "aria-label": "Send", title: "Send (Enter)", "data-testid": "send-button" }, icon("send"));
  form.append(menu, area, mention, button);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  area.addEventListener("input", () => { grow(); offer(); });
  area.addEventListener("keydown", keys);
  // The button that opens the menu takes the focus for a moment and gives it back.
  area.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== area) hide(); }, 150));
  listen((what) => {
    if (["world", "place"].includes(what)) {
      const conversation = current();
      takeDraft(`${state.person} ${conversation?.id}`);
      area.disabled = !conversation;
      area.placeholder = conversation?.kind === "channel" ? `Start a post in ${conversation.name}` : `Message ${conversation?.name ?? ""}`;
    }
    if (["world", "place", "messages"].includes(what)) suggest(suggestions);
  });
}

function takeDraft(next) {
  if (next === place) return;
  // What was typed before the page had loaded belongs to the first place.
  if (place === null) drafts.set(next, area.value);
  else drafts.set(place, area.value);
  place = next;
  area.value = drafts.get(next) ?? "";
  grow();
  hide();
}

export const focus = () => area.focus();

async function send() {
  const text = area.value.trim();
  const from = place;
  if (!text) return;
  area.value = "";
  grow();
  hide();
  if (await attempt({ do: "say", text })) return;
  if (from !== place) return drafts.set(from, text);
  area.value = text;
  grow();
}

function grow() {
  area.rows = Math.min(8, area.value.split("\n").length);
}

function keys(event) {
  if (!menu.hidden) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : choices.length - 1)) % choices.length;
      event.preventDefault();
      return show();
    }
    if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault();
      return complete(choices[chosen]);
    }
    if (event.key === "Escape") return hide();
  }
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  }
}

function startMention() {
  const before = area.value.slice(0, area.selectionStart);
  area.setRangeText(before && !/\s$/.test(before) ? " @" : "@", area.selectionStart, area.selectionEnd, "end");
  area.focus();
  offer();
}

/** Names that fit what follows the last @ before the cursor. */
function offer() {
  const conversation = current();
  const found = /(^|\s)@([^@\n]{0,30})$/.exec(area.value.slice(0, area.selectionStart));
  if (!conversation || !found) return hide();
  const names = [...conversation.installed.map((bot) => ({ name: state.bots[bot].name, what: "Bot" })),
    ...conversation.members.map((person) => ({ name: state.people[person].name, what: "Person" })).filter(({ name }) => name !== me().name)];
  choices = names.filter(({ name }) => name.toLowerCase().startsWith(found[2].toLowerCase()) && name.length > found[2].length);
  chosen = 0;
  if (choices.length) show();
  else hide();
}

function show() {
  menu.replaceChildren(...choices.map((choice, place) => h("div", {
    class: "option", role: "option", "aria-selected": place === chosen ? "true" : "false", "data-testid": "mention-option",
    onmousedown: (event) => { event.preventDefault(); complete(choice); },
  }, h("span", {}, choice.name), h("span", { class: "what" }, choice.what))));
  menu.hidden = false;
}

function hide() {
  menu.hidden = true;
}

function complete({ name }) {
  const end = area.selectionStart;
  const at = area.value.lastIndexOf("@", end - 1);
  area.setRangeText(`@${name} `, at, end, "end");
  hide();
  area.focus();
}

/** Suggested actions stand below the last message only, as in Teams. */
function suggest(element) {
  const message = state.messages.get(state.conversation)?.at(-1);
  const to = message?.suggestedActions?.to ?? [];
  const actions = message && !message.deleted && message.from.kind === "bot" ? message.suggestedActions?.actions ?? [] : [];
  const forMe = to.length === 0 || current()?.kind === "personal";
  element.replaceChildren(...(forMe ? actions.slice(0, 6) : []).map((action) => h("button", {
    type: "button", class: "suggestion", "data-testid": "suggested-action", onclick: () => pressed(message, { kind: "suggested", action }),
  }, action.title ?? String(action.value ?? ""))));
}
