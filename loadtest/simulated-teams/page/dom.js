// Elements without a framework. Text only ever enters as text: nothing here parses HTML.

/**
 * Makes an element. `properties`: attributes by name, listeners as `onclick`; false and null leave an attribute out.
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

export function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

const SVG = "http://www.w3.org/2000/svg";

// Paths on a grid of 20.
const ICONS = {
  send: "M3 3.5l14.5 6.5L3 16.5l1.8-5.6L11 10 4.8 9.1z",
  sun: "M10 6.2a3.8 3.8 0 100 7.6 3.8 3.8 0 000-7.6zM10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M15.7 4.3l-1.4 1.4M5.7 14.3l-1.4 1.4",
  moon: "M16.5 12.2A7 7 0 017.8 3.5a7 7 0 108.7 8.7z",
  auto: "M10 3a7 7 0 100 14zM10 3a7 7 0 010 14",
  back: "M12 4l-6 6 6 6",
  code: "M7 6l-4 4 4 4M13 6l4 4-4 4M11.2 4.5l-2.4 11",
  pencil: "M4 16l.8-3.2L13 4.6a1.6 1.6 0 012.3 0l.1.1a1.6 1.6 0 010 2.3L7.2 15.2 4 16zM11.8 5.8l2.4 2.4",
  bin: "M4.5 6h11M8 6V4.5h4V6M6 6l.7 10h6.6L14 6M8.6 9v4.5M11.4 9v4.5",
  undo: "M7.5 4.5L4 8l3.5 3.5M4 8h7.5a4 4 0 010 8H8",
  smile: "M10 3a7 7 0 100 14 7 7 0 000-14zM7.2 11.8c.6 1.1 1.6 1.7 2.8 1.7s2.2-.6 2.8-1.7M7.6 8.2v.1M12.4 8.2v.1",
  stop: "M6 6h8v8H6z",
  reply: "M8 5L4 9l4 4M4 9h6.5a5.5 5.5 0 015.5 5.5V15",
  close: "M5 5l10 10M15 5L5 15",
  plus: "M10 4v12M4 10h12",
  people: "M7.5 9.5a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM3 15.5c0-2.4 2-3.8 4.5-3.8s4.5 1.4 4.5 3.8M13 9.2a2 2 0 100-4.2M14 11.8c1.8.2 3 1.4 3 3.2",
  bot: "M5 8.5A1.5 1.5 0 016.5 7h7A1.5 1.5 0 0115 8.5v5a1.5 1.5 0 01-1.5 1.5h-7A1.5 1.5 0 015 13.5zM10 7V4M8 10.5v1M12 10.5v1M3 10v2.5M17 10v2.5",
  hash: "M7.5 4L6 16M14 4l-1.5 12M4 8h12.5M3.5 12H16",
  phone: "M6.2 3.5l2 3.6-1.6 1.7c.9 2 2.6 3.7 4.6 4.6l1.7-1.6 3.6 2c-.1 1.7-1.2 2.9-2.9 2.7C8.6 15.7 4.3 11.4 3.5 6.4 3.3 4.7 4.5 3.6 6.2 3.5z",
  hangup: "M3 12.5c0-1.5 3-3.5 7-3.5s7 2 7 3.5l-.4 1.7-3.6-.8v-2.2a10 10 0 00-6 0v2.2l-3.6.8z",
  speak: "M10 3a2.2 2.2 0 00-2.2 2.2v4.3a2.2 2.2 0 004.4 0V5.2A2.2 2.2 0 0010 3zM5.5 9.5a4.5 4.5 0 009 0M10 14v3",
  mute: "M10 3a2.2 2.2 0 00-2.2 2.2v4.3a2.2 2.2 0 004.4 0V5.2A2.2 2.2 0 0010 3zM5.5 9.5a4.5 4.5 0 009 0M10 14v3M4 4l12 12",
  down: "M5 8l5 5 5-5",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [attribute, value] of [["viewBox", "0 0 20 20"], ["class", "icon"], ["aria-hidden", "true"]]) {
    svg.setAttribute(attribute, value);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows an icon only, with a name for everybody. */
export function iconButton(name, label, properties = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, ...properties }, icon(name));
}

const HUES = [212, 168, 28, 330, 262, 96, 190, 8];

/** A round picture with initials; bots have a square one. */
export function avatar(name, kind, number) {
  const initials = name.split(/\s+/).map((part) => part[0] ?? "").slice(0, 2).join("").toUpperCase();
  const picture = h("span", { class: `avatar ${kind}`, "aria-hidden": "true" }, kind === "bot" ? icon("bot") : initials);
  picture.style.setProperty("--hue", String(HUES[(kind === "bot" ? number + 2 : number) % HUES.length]));
  return picture;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** Message ids are milliseconds. */
export function clock(milliseconds) {
  return CLOCK.format(new Date(Number(milliseconds)));
}
