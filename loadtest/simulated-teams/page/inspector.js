// The wire: what Teams sent to the bot and what the bot asked of the Connector, with answers and times.

import { setFaults } from "./api.js";
import { h, iconButton } from "./dom.js";
import { listen, state, tell } from "./state.js";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

// Weather for bots: what the Connector does to them on demand.
const third = (status, when, more = {}) => [{ status, when, share: 0.34, ...more }];
const WEATHER = [
  ["The Connector is healthy", []],
  ["A third is throttled (429)", third(429, "beforeStore", { retryAfter: 1 })],
  ["A third conflicts (412)", third(412, "beforeStore")],
  ["A third fails (502)", third(502, "beforeStore")],
  ["A third is stored, then fails (504)", third(504, "afterStore")],
  ["Everything is unavailable (503)", [{ status: 503, when: "beforeStore", share: 1 }]],
];

let list;
let filter = "all";
const opened = new Set();

export function mount(element, close) {
  const choose = h("select", { "aria-label": "Show", "data-testid": "inspector-filter", onchange: (event) => { filter = event.target.value; draw(); } },
    h("option", { value: "all" }, "Both ways"), h("option", { value: "toBot" }, "To the bot"), h("option", { value: "fromBot" }, "From the bot"));
  const weather = h("select", { "aria-label": "Faults of the Connector", "data-testid": "fault-select" },
    WEATHER.map(([label], place) => h("option", { value: place }, label)));
  weather.addEventListener("change", () => setFaults(WEATHER[weather.value][1]).catch((error) => tell("notice", error.message)));
  list = h("ol", { class: "exchanges", "data-testid": "inspector-list" });
  element.append(h("header", {}, h("h2", {}, "Activity inspector"), choose, iconButton("close", "Close the inspector", { "data-testid": "inspector-close", onclick: close })),
    h("div", { class: "weather" }, weather), list);
  listen((what, exchange) => {
    if (what === "world") {
      draw();
      const same = WEATHER.findIndex(([, faults]) => faults[0]?.status === state.faults[0]?.status && faults[0]?.when === state.faults[0]?.when);
      weather.value = String(Math.max(0, same));
    }
    if (what === "exchange" && fits(exchange)) {
      list.prepend(entry(exchange));
      while (list.children.length > 300) list.lastElementChild.remove();
    }
  });
}

const fits = (exchange) => filter === "all" || exchange.direction === filter;

function draw() {
  const shown = state.exchanges.filter(fits).reverse();
  list.replaceChildren(...(shown.length ? shown.map(entry) : [h("li", { class: "nothing" }, "Nothing has been sent yet.")]));
}

function entry(exchange) {
  list.querySelector(".nothing")?.remove();
  const toBot = exchange.direction === "toBot";
  const good = exchange.status >= 200 && exchange.status < 300;
  const details = h("div", { class: "details", hidden: !opened.has(exchange.number) });
  const fill = () => { if (!details.firstChild) details.append(...parts(exchange)); };
  if (opened.has(exchange.number)) fill();
  const toggle = (event) => {
    details.hidden = !details.hidden;
    event.currentTarget.setAttribute("aria-expanded", String(!details.hidden));
    if (details.hidden) opened.delete(exchange.number);
    else { opened.add(exchange.number); fill(); }
  };
  return h("li", { "data-testid": "inspector-entry", "data-direction": exchange.direction, "data-status": exchange.status ?? "none" },
    h("button", { type: "button", class: "summary", "aria-expanded": opened.has(exchange.number) ? "true" : "false", onclick: toggle },
      h("span", { class: `way ${exchange.direction}`, title: toBot ? "Teams to the bot" : "The bot to the Connector" }, toBot ? "\u2192 bot" : "\u2190 bot"),
      h("span", { class: "title" }, exchange.title, exchange.attempt > 1 && h("span", { class: "again" }, `repeat ${exchange.attempt - 1}`)),
      h("span", { class: `status ${good ? "good" : "bad"}` }, exchange.status ?? "no answer"),
      h("span", { class: "took" }, took(exchange.microseconds))),
    details);
}

const took = (microseconds) => (microseconds < 10000 ? `${(microseconds / 1000).toFixed(1)} ms` : `${Math.round(microseconds / 1000)} ms`);

function parts(exchange) {
  return [
    h("p", { class: "meta" }, `${TIME.format(new Date(exchange.at))} \u00b7 ${exchange.bot}`, exchange.failure && h("span", { class: "bad" }, ` \u00b7 ${exchange.failure}`)),
    h("p", { class: "meta" }, h("code", {}, exchange.url)),
    h("p", { class: "meta headers" }, exchange.headers.map(([name, value]) => h("span", {}, h("b", {}, name), ` ${value}`))),
    ...section("Request", exchange.request),
    ...section(`Answer ${exchange.status ?? ""}`, exchange.response),
  ];
}

function section(title, body) {
  if (body === undefined || body === null) return [];
  const text = JSON.stringify(body, null, 2);
  const copy = h("button", { type: "button", class: "link", onclick: () => navigator.clipboard?.writeText(text) }, "Copy");
  return [h("div", { class: "section" }, h("h3", {}, title), copy), h("pre", { class: "json", "data-testid": "inspector-body", tabindex: "0" }, coloured(text))];
}

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function coloured(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(TOKEN)) {
    nodes.push(text.slice(end, found.index));
    const kind = found[2] ? "name" : found[1] ? "text" : "value";
    nodes.push(h("span", { class: kind }, found[1] ?? found[0]), found[2] ?? "");
    end = found.index + found[0].length;
  }
  return [...nodes, text.slice(end)];
}
