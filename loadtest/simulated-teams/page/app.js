// Puts the page together.

import * as api from "./api.js";
import * as calls from "./calls.js";
import { prepareRenderer } from "./cards.js";
import * as composer from "./composer.js";
import { avatar, h, icon, iconButton } from "./dom.js";
import * as inspector from "./inspector.js";
import * as messages from "./messages.js";
import * as sidebar from "./sidebar.js";
import { apply, become, current, listen, loadAll, markSeen, me, remember, state, tell } from "./state.js";

const $ = (id) => document.getElementById(id);
const app = $("app");

function personSwitcher() {
  const select = h("select", { id: "person", "aria-label": "Act as", "data-testid": "person-switcher", onchange: (event) => become(Number(event.target.value)) });
  const picture = h("span", { class: "switcher-picture" });
  listen((what) => {
    if (what !== "world") return;
    select.replaceChildren(...state.people.map((person) => h("option", { value: person.number }, person.name)));
    select.value = String(state.person);
    picture.replaceChildren(avatar(me().name, "person", state.person));
  });
  return h("label", { class: "switcher" }, picture, select, icon("down"));
}

const THEMES = { auto: ["auto", "Theme: as the system"], light: ["sun", "Theme: light"], dark: ["moon", "Theme: dark"] };

function themeToggle() {
  const button = iconButton("auto", "Theme", { "data-testid": "theme-toggle" });
  const show = () => {
    const [picture, label] = THEMES[state.theme];
    document.documentElement.dataset.theme = state.theme;
    button.replaceChildren(icon(picture));
    button.title = label;
    button.setAttribute("aria-label", label);
  };
  button.addEventListener("click", () => {
    const systemIsDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const order = systemIsDark ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
    state.theme = order[(order.indexOf(state.theme) + 1) % order.length];
    remember();
    show();
  });
  show();
  return button;
}

function showInspector(shown) {
  app.classList.toggle("inspecting", shown);
  $("inspector").hidden = !shown;
  $("inspector-toggle").setAttribute("aria-pressed", String(shown));
}

function header() {
  const conversation = current();
  if (!conversation) return $("title").replaceChildren();
  const names = conversation.members.map((person) => (person === state.person ? "you" : state.people[person].name.split(" ")[0]));
  const subtitle = conversation.kind === "personal" ? "Personal chat" : [conversation.team, names.join(", ")].filter(Boolean).join(" \u00b7 ");
  const picture = conversation.kind === "personal" ? avatar(conversation.name, "bot", conversation.bot)
    : h("span", { class: "avatar place", "aria-hidden": "true" }, icon(conversation.kind === "channel" ? "hash" : "people"));
  $("title").replaceChildren(
    iconButton("back", "Back to the conversations", { class: "icon-button back", "data-testid": "back-button", onclick: () => app.classList.remove("reading") }),
    picture, h("div", { class: "words" }, h("h1", { "data-testid": "conversation-title" }, conversation.name), h("p", {}, subtitle)),
    conversation.kind === "personal" && iconButton("phone", `Call ${conversation.name}`, { "data-testid": "call-button", onclick: () => calls.ring(conversation.bot) }),
    menu(conversation));
}

/** What can be done with a conversation: bots come and go, and people where there are several. */
function menu(conversation) {
  const bots = conversation.kind === "personal" ? [state.bots[conversation.bot]] : state.bots;
  const botItems = bots.map((bot) => {
    const installed = conversation.installed.includes(bot.number);
    return menuItem(`${installed ? "Remove" : "Install"} ${bot.name}`, installed ? "uninstall-button" : "install-button", { do: installed ? "uninstall" : "install", bot: bot.number });
  });
  const peopleItems = conversation.kind === "personal" ? [] : state.people.filter((person) => person.number !== state.person).map((person) => {
    const inside = conversation.members.includes(person.number);
    return menuItem(`${inside ? "Remove" : "Add"} ${person.name}`, inside ? "remove-member-button" : "add-member-button", { do: inside ? "removeMember" : "addMember", member: person.number });
  });
  return h("details", { class: "menu" }, h("summary", { "aria-label": "Bots and people", title: "Bots and people", "data-testid": "conversation-menu" }, icon("people"), icon("down")),
    h("div", { class: "items" }, h("h2", {}, "Bots"), botItems, peopleItems.length > 0 && h("h2", {}, "People"), peopleItems));
}

function menuItem(label, testId, action) {
  const run = async (event) => {
    event.currentTarget.closest("details").open = false;
    await messages.attempt(action);
  };
  return h("button", { type: "button", "data-testid": testId, onclick: run }, label);
}

function toast(text) {
  const note = h("div", { class: "toast", role: "status", "data-testid": "toast" }, text);
  $("toasts").append(note);
  setTimeout(() => note.remove(), 6000);
}

function start() {
  prepareRenderer();
  const toggle = iconButton("code", "Activity inspector", { id: "inspector-toggle", "data-testid": "inspector-toggle", "aria-pressed": "false" });
  toggle.addEventListener("click", () => showInspector($("inspector").hidden));
  $("controls").append(personSwitcher(), toggle, themeToggle());
  sidebar.mount($("sidebar"), () => { app.classList.add("reading"); composer.focus(); });
  messages.mount($("messages"));
  composer.mount($("composer"), $("suggestions"));
  calls.mount($("calls"));
  inspector.mount($("inspector"), () => showInspector(false));
  listen((what, detail) => {
    if (what === "world" || what === "place") header();
    if (what === "notice") toast(detail);
    if (document.visibilityState === "visible" && (what === "place" || what === "world" || (what === "messages" && detail.conversation === state.conversation))) {
      markSeen();
      if (what === "place" || what === "world") tell("typing");
    }
  });
  document.addEventListener("click", (event) => {
    for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const open of document.querySelectorAll("details.menu[open]")) open.open = false;
  });
  api.follow(apply, () => loadAll().catch((error) => toast(error.message)), (connected) => { $("offline").hidden = connected; });
}

start();
