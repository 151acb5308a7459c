// The subset of Markdown that Teams renders for bots, turned into elements.
//
// Own code instead of a library: a library gives a string of HTML, and a string of HTML made from a bot's text is what an
// attacker wants. Here no string is ever parsed as HTML, so whatever a bot writes stays text.

import { h } from "./dom.js";

const SAFE_LINK = /^(https?:|mailto:)/i;

/** `mentions`: the texts of mention entities, such as `<at>Name</at>`. */
export function markdown(text, mentions = []) {
  const fragment = document.createDocumentFragment();
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  let place = 0;
  while (place < lines.length) {
    const block = fence(lines, place) ?? heading(lines, place, mentions) ?? rule(lines, place)
      ?? quote(lines, place, mentions) ?? list(lines, place, mentions) ?? table(lines, place, mentions)
      ?? paragraph(lines, place, mentions);
    if (block.node) fragment.append(block.node);
    place = block.next;
  }
  return fragment;
}

function fence(lines, place) {
  if (!lines[place].startsWith("```")) return null;
  let end = place + 1;
  while (end < lines.length && !lines[end].startsWith("```")) end += 1;
  return { node: h("pre", {}, h("code", {}, lines.slice(place + 1, end).join("\n"))), next: end + 1 };
}

function heading(lines, place, mentions) {
  const found = /^(#{1,6})\s+(.*)$/.exec(lines[place]);
  if (!found) return null;
  // The page has its own headings above a message's.
  return { node: h("p", { class: `heading level-${found[1].length}` }, inline(found[2], mentions)), next: place + 1 };
}

function rule(lines, place) {
  return /^\s*([-*_])(\s*\1){2,}\s*$/.test(lines[place]) ? { node: h("hr"), next: place + 1 } : null;
}

function quote(lines, place, mentions) {
  let end = place;
  while (end < lines.length && /^>\s?/.test(lines[end])) end += 1;
  if (end === place) return null;
  const inner = lines.slice(place, end).map((line) => line.replace(/^>\s?/, "")).join("\n");
  return { node: h("blockquote", {}, markdown(inner, mentions)), next: end };
}

const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;

function list(lines, place, mentions) {
  const first = ITEM.exec(lines[place]);
  if (!first) return null;
  const ordered = /\d/.test(first[2]);
  const node = ordered ? h("ol", { start: parseInt(first[2], 10) }) : h("ul");
  const indent = first[1].length;
  let next = place;
  while (next < lines.length) {
    const item = ITEM.exec(lines[next]);
    if (!item || item[1].length < indent || /\d/.test(item[2]) !== ordered) break;
    if (item[1].length > indent && node.lastChild) {
      const nested = list(lines, next, mentions);
      node.lastChild.append(nested.node);
      next = nested.next;
      continue;
    }
    node.append(h("li", {}, inline(item[3], mentions)));
    next += 1;
  }
  return { node, next };
}

function table(lines, place, mentions) {
  const rows = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
  if (!lines[place].includes("|") || !/^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$/.test(lines[place + 1] ?? "")) return null;
  const head = h("thead", {}, h("tr", {}, rows(lines[place]).map((cell) => h("th", {}, inline(cell, mentions)))));
  const body = h("tbody");
  let next = place + 2;
  while (next < lines.length && lines[next].includes("|")) {
    body.append(h("tr", {}, rows(lines[next]).map((cell) => h("td", {}, inline(cell, mentions)))));
    next += 1;
  }
  return { node: h("div", { class: "table" }, h("table", {}, head, body)), next };
}

function paragraph(lines, place, mentions) {
  let end = place;
  const starts = (line) => line.startsWith("```") || /^(#{1,6}\s|>)/.test(line) || ITEM.test(line);
  while (end < lines.length && lines[end].trim() !== "" && (end === place || !starts(lines[end]))) end += 1;
  if (end === place) return { node: null, next: place + 1 };
  return { node: h("p", {}, withBreaks(lines.slice(place, end), mentions)), next: end };
}

function withBreaks(lines, mentions) {
  return lines.flatMap((line, number) => (number ? [h("br"), inline(line, mentions)] : [inline(line, mentions)]));
}

// What stands for a character of its own and is not read as markup.
const ESCAPED = /\\([!-/:-@[-`{-~])|&(?:(lt|gt|amp|quot|apos|nbsp)|#(\d{1,7})|#[xX]([\da-fA-F]{1,6}));/;
const NAMED = { lt: "<", gt: ">", amp: "&", quot: "\"", apos: "'", nbsp: "\u00a0" };

function character([written, punctuation, name, decimal, hexadecimal]) {
  if (punctuation || name) return punctuation ?? NAMED[name];
  const code = decimal ? Number(decimal) : parseInt(hexadecimal, 16);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : written;
}

const unescaped = (text) => text.replace(new RegExp(ESCAPED, "g"), (...found) => character(found));

// In this order: what a code span or a link contains is not looked at again for the rest.
const INLINE = [
  [ESCAPED, (found) => document.createTextNode(character(found))],
  [/`([^`]+)`/, (found) => h("code", {}, found[1])],
  [/!\[([^\]]*)\]\(([^()\s]+)\)/, (found) => picture(unescaped(found[2]), unescaped(found[1]))],
  [/\[([^\]]+)\]\(([^()\s]+)(?:\s+"[^"]*")?\)/, (found, inner) => link(unescaped(found[2]), inner(found[1]), found[0])],
  [/https?:\/\/[^\s<>()]*[^\s<>().,;:!?'"]/, (found) => link(unescaped(found[0]), unescaped(found[0]), found[0])],
  [/\*\*(?=\S)(.+?\S?)\*\*|__(?=\S)(.+?\S?)__/, (found, inner) => h("strong", {}, inner(found[1] ?? found[2]))],
  [/~~(?=\S)(.+?)~~/, (found, inner) => h("s", {}, inner(found[1]))],
  [/\*(?=\S)([^*]*[^*\s])\*|(?<![\w])_(?=\S)([^_]*[^_\s])_(?![\w])/, (found, inner) => h("em", {}, inner(found[1] ?? found[2]))],
];

/** One line of text as nodes. */
export function inline(text, mentions = []) {
  if (!text) return [];
  for (const tag of mentions) {
    const at = tag ? text.indexOf(tag) : -1;
    if (at >= 0) {
      const name = unescaped(tag.replace(/^<at[^>]*>|<\/at>$/g, ""));
      return [...inline(text.slice(0, at), mentions), h("span", { class: "mention" }, name), ...inline(text.slice(at + tag.length), mentions)];
    }
  }
  let earliest = null;
  for (const [pattern, make] of INLINE) {
    const found = pattern.exec(text);
    if (found && (!earliest || found.index < earliest.found.index)) earliest = { found, make };
  }
  if (!earliest) return [document.createTextNode(text)];
  const { found, make } = earliest;
  const node = make(found, (part) => inline(part, mentions));
  return [...inline(text.slice(0, found.index), mentions), node, ...inline(text.slice(found.index + found[0].length), mentions)];
}

function link(address, label, written) {
  if (!SAFE_LINK.test(address)) return document.createTextNode(written);
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label);
}

function picture(address, description) {
  if (!/^(https:|data:image\/)/i.test(address)) return document.createTextNode(description);
  return h("img", { src: address, alt: description, class: "inline-picture" });
}

/** Plain text: line breaks and mentions only. */
export function plain(text, mentions = []) {
  const fragment = document.createDocumentFragment();
  for (const [number, line] of text.split("\n").entries()) {
    if (number) fragment.append(h("br"));
    fragment.append(...plainLine(line, mentions));
  }
  return fragment;
}

function plainLine(line, mentions) {
  for (const tag of mentions) {
    const at = tag ? line.indexOf(tag) : -1;
    if (at >= 0) {
      const name = tag.replace(/^<at[^>]*>|<\/at>$/g, "");
      return [...plainLine(line.slice(0, at), mentions), h("span", { class: "mention" }, name), ...plainLine(line.slice(at + tag.length), mentions)];
    }
  }
  return [document.createTextNode(line)];
}

const ALLOWED = new Set(["B", "STRONG", "I", "EM", "U", "S", "P", "BR", "PRE", "CODE", "UL", "OL", "LI", "BLOCKQUOTE", "H1", "H2", "H3", "DIV", "SPAN"]);

/** `textFormat: xml`: parsed in a document that runs nothing, then rebuilt from names that are known to be harmless. */
export function xml(text) {
  const parsed = new DOMParser().parseFromString(defused(text), "text/html");
  const fragment = document.createDocumentFragment();
  for (const node of parsed.body.childNodes) fragment.append(rebuild(node));
  return fragment;
}

/** Handlers and styles would not run there; the browser reports each as an attempt all the same, so their names are changed. */
function defused(text) {
  return text.replace(/<[a-z](?:"[^"]*"|'[^']*'|[^"'>])*>/gi, (tag) =>
    tag.replace(/"[^"]*"|'[^']*'|\b(?:on[a-z]+|style)(?=\s*=)/gi, (part) => (/^["']/.test(part) ? part : `data-${part}`)));
}

function rebuild(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
  const fragment = document.createDocumentFragment();
  if (node.nodeType !== Node.ELEMENT_NODE || node.tagName === "SCRIPT" || node.tagName === "STYLE") return fragment;
  const children = [...node.childNodes].map(rebuild);
  if (node.tagName === "A") return link(node.getAttribute("href") ?? "", children, node.textContent);
  if (node.tagName === "AT") return h("span", { class: "mention" }, children);
  if (!ALLOWED.has(node.tagName)) {
    fragment.append(...children);
    return fragment;
  }
  return h(node.tagName.toLowerCase(), {}, children);
}
