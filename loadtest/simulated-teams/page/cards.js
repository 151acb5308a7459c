// Attachments of bots: Adaptive Cards by Microsoft's own renderer, the older cards simply.

import { h } from "./dom.js";
import { inline, markdown } from "./markdown.js";

const ADAPTIVE = "application/vnd.microsoft.card.adaptive";
const PREFIX = "application/vnd.microsoft.card.";

// Colours are variables of the style sheet, so that a change of the theme needs no new rendering.
const tone = (name) => ({ default: `var(--${name})`, subtle: `var(--${name}-subtle)` });
const TONES = {
  default: tone("card-text"), dark: tone("card-text"), light: tone("card-text"), accent: tone("card-accent"),
  good: tone("card-good"), warning: tone("card-warning"), attention: tone("card-attention"),
};
const style = (background, border) => ({ backgroundColor: background, borderColor: border, foregroundColors: TONES });

const HOST = {
  fontFamily: "inherit",
  supportsInteractivity: true,
  spacing: { small: 6, default: 10, medium: 14, large: 20, extraLarge: 28, padding: 14 },
  separator: { lineThickness: 1, lineColor: "var(--line)" },
  fontSizes: { small: 12, default: 14, medium: 15, large: 18, extraLarge: 22 },
  fontWeights: { lighter: 300, default: 400, bolder: 600 },
  lineHeights: { small: 16, default: 20, medium: 22, large: 25, extraLarge: 29 },
  imageSizes: { small: 32, medium: 52, large: 100 },
  containerStyles: {
    default: style("transparent", "var(--line)"),
    emphasis: style("var(--card-emphasis)", "var(--line)"),
    accent: style("var(--card-accent-fill)", "var(--line)"),
    good: style("var(--card-good-fill)", "var(--line)"),
    warning: style("var(--card-warning-fill)", "var(--line)"),
    attention: style("var(--card-attention-fill)", "var(--line)"),
  },
  actions: {
    // The gap stands in the style sheet: the renderer's would indent a row that begins with it.
    maxActions: 6, spacing: "default", buttonSpacing: 0, actionsOrientation: "horizontal", actionAlignment: "left",
    showCard: { actionMode: "inline", inlineTopMargin: 12, style: "emphasis" },
  },
  adaptiveCard: { allowCustomStyle: false },
  factSet: {
    title: { color: "default", size: "default", isSubtle: true, weight: "default", wrap: true, maxWidth: 150 },
    value: { color: "default", size: "default", isSubtle: false, weight: "default", wrap: true },
    spacing: 14,
  },
};

/** `press(press)` is called with what a button sends; it resolves when the bot has answered. */
export function attachment(item, press) {
  const kind = item.contentType ?? "";
  if (kind === ADAPTIVE) return adaptive(item.content, press);
  if (kind.startsWith("image/") && safePicture(item.contentUrl)) {
    return h("img", { class: "picture", src: item.contentUrl, alt: item.name ?? "Picture from the bot" });
  }
  if (kind === `${PREFIX}hero` || kind === `${PREFIX}thumbnail` || kind === `${PREFIX}signin` || kind === `${PREFIX}oauth`) {
    return simple(item.content ?? {}, kind.slice(PREFIX.length), press);
  }
  return h("div", { class: "card unknown", "data-testid": "message-card" }, h("span", {}, "Attachment "), h("code", {}, kind || "without contentType"),
    item.name ? ` ${item.name}` : "");
}

function adaptive(content, press) {
  const frame = h("div", { class: "card adaptive", "data-testid": "message-card" });
  const { AdaptiveCard, HostConfig, SubmitAction, ExecuteAction, OpenUrlAction } = window.AdaptiveCards;
  const card = new AdaptiveCard();
  card.hostConfig = new HostConfig(HOST);
  card.onExecuteAction = (action) => {
    if (action instanceof OpenUrlAction) return open(action.url);
    if (action instanceof ExecuteAction) {
      return send({ kind: "execute", verb: action.verb, id: action.id, title: action.title, data: action.data });
    }
    if (action instanceof SubmitAction) return send({ kind: "submit", data: action.data ?? {} });
  };
  const send = (what) => {
    frame.classList.add("waiting");
    press(what).finally(() => frame.classList.remove("waiting"));
  };
  try {
    card.parse(content);
    const rendered = card.render();
    if (!rendered) throw new Error("nothing to show");
    frame.append(rendered);
  } catch (error) {
    frame.append(h("p", { class: "broken" }, `This card cannot be shown: ${error.message}`));
  }
  for (const button of frame.querySelectorAll(".ac-pushButton")) button.dataset.testid = "card-button";
  return frame;
}

// The renderer wants HTML; it gets ours, which is made of elements that came from text.
export function prepareRenderer() {
  window.AdaptiveCards.AdaptiveCard.onProcessMarkdown = (text, result) => {
    const lines = text.split("\n");
    const isBlock = lines.some((line) => /^\s*([-*+]|\d{1,9}[.)])\s/.test(line));
    const holder = h("div", {}, isBlock ? markdown(text) : lines.map((line, number) => [number ? h("br") : null, inline(line)]));
    result.outputHtml = holder.innerHTML;
    result.didProcess = true;
  };
}

function simple(content, kind, press) {
  const pictures = [content.images ?? [], content.image ?? []].flat().filter((picture) => safePicture(picture.url));
  const picture = pictures[0] && h("img", { src: pictures[0].url, alt: pictures[0].alt ?? "" });
  const buttons = (content.buttons ?? []).map((action) => h("button", {
    type: "button", class: "card-button", "data-testid": "card-button",
    onclick: () => (isLink(action) ? open(action.value) : press({ kind: "cardAction", action })),
  }, action.title ?? ""));
  return h("div", { class: `card simple ${kind}`, "data-testid": "message-card" },
    picture,
    h("div", { class: "words" },
      content.title && h("p", { class: "title" }, content.title),
      content.subtitle && h("p", { class: "subtitle" }, content.subtitle),
      content.text && h("div", { class: "markdown" }, markdown(content.text)),
      buttons.length > 0 && h("div", { class: "buttons" }, buttons)));
}

const isLink = (action) => action.type === "openUrl" || action.type === "signin";

function open(address) {
  if (/^https?:/i.test(address ?? "")) window.open(address, "_blank", "noopener,noreferrer");
}

const safePicture = (address) => /^(https:|data:image\/)/i.test(address ?? "");
