// The telephone: calls of the person, with a keypad, and what the bot plays: prompts that Graph would play, or real sound.

import { telephone } from "./api.js";
import { avatar, h, icon } from "./dom.js";
import * as line from "./line.js";
import { listen, myCalls, state, tell } from "./state.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const STATES = {
  incoming: "Calling\u2026", establishing: "Connecting\u2026", established: "Connected", transferring: "Being handed on\u2026",
  transferAccepted: "Being handed on\u2026", redirecting: "Somebody else is being rung\u2026", terminating: "Ending\u2026", terminated: "Ended",
};
/** How long a call that has ended stays, in milliseconds. */
const AFTERGLOW = 20000;

/** By call: its box and what it shows, so that a prompt plays on while the rest changes. */
const boxes = new Map();
const dismissed = new Set();
/** Calls that this page made or picked up: their sound is here. */
const here = new Set();
let pane;

export function mount(element) {
  pane = element;
  listen((what) => { if (["world", "call"].includes(what)) draw(); });
  setInterval(() => { for (const box of boxes.values()) box.tick(); }, 1000);
}

/** Calls a bot. */
export const ring = (bot) => talk({ do: "ring", person: state.person, bot });

async function attempt(action) {
  try {
    return await telephone(action);
  } catch (error) {
    tell("notice", error.message);
    return null;
  }
}

/** Does what makes a call this page's own. */
async function talk(action) {
  const { call } = (await attempt(action)) ?? {};
  if (!call) return;
  here.add(call);
  // What happened before this answer came was drawn without it.
  draw();
}

function draw() {
  // The sound of a call goes on while the page shows somebody else.
  for (const id of line.all()) if (isOver(state.calls.get(id) ?? { state: "terminated" })) line.close(id);
  const shown = myCalls().filter((call) => !dismissed.has(call.id) && !(call.ended && Date.now() - call.ended > AFTERGLOW));
  const ids = new Set(shown.map((call) => call.id));
  for (const [id, box] of boxes) {
    if (ids.has(id)) continue;
    box.close();
    boxes.delete(id);
  }
  for (const call of shown) {
    if (!boxes.has(call.id)) boxes.set(call.id, makeBox(call.id));
    boxes.get(call.id).show(call);
  }
}

function makeBox(id) {
  const title = h("h2", { "data-testid": "call-title" });
  const status = h("p", { class: "call-state", "data-testid": "call-state", role: "status" });
  const sound = h("p", { class: "call-sound", "data-testid": "call-prompt", hidden: true });
  const player = h("audio", { "data-testid": "call-audio" });
  const pad = h("div", { class: "keypad", role: "group", "aria-label": "Keypad" }, KEYS.map((key) => h("button", {
    type: "button", "aria-label": `Key ${key}`, "data-testid": "call-key", "data-key": key, onclick: () => press(id, key),
  }, key)));
  const pressed = h("p", { class: "pressed", "data-testid": "call-pressed" });
  const buttons = h("div", { class: "call-buttons" });
  const voice = h("p", { class: "call-line", "data-testid": "call-line", hidden: true });
  const picture = h("span", { class: "call-picture" });
  const element = h("article", { class: "call", "data-testid": "call", "data-call": id }, h("header", {}, picture, h("div", { class: "words" }, title, status)), voice, sound, player, pressed, pad, buttons);
  pane.append(element);
  let call;
  let playing = null;
  let shown = null;
  const hear = () => {
    const prompts = call.prompts.map((prompt, place) => ({ ...prompt, place })).filter((prompt) => prompt.state === "playing" && call.isAudioActive);
    // Who is only rung hears nothing yet.
    const prompt = isRung(call) ? null : prompts[0] ?? null;
    const records = call.isListening && !isRung(call);
    sound.hidden = !prompt && !records;
    sound.replaceChildren(...(prompt ? [bars(), name(prompt.uri)] : records ? [h("span", { class: "listening" }), "The bot is recording"] : []));
    if (prompt?.place === playing) return;
    playing = prompt?.place ?? null;
    player.pause();
    if (!prompt) return;
    player.src = prompt.uri;
    // Who has not touched the page yet hears nothing: browsers want it so. Prompts of other machines are not fetched.
    player.play().catch(() => sound.append(h("span", { class: "silent" }, " (without sound)")));
  };
  const speak = () => {
    const isUp = call.line !== null && !isOver(call) && !isRung(call);
    if (isUp && here.has(id)) line.connect(id, call.lines, () => show(call));
    const mine = line.of(id);
    voice.hidden = !isUp;
    voice.dataset.line = mine?.state ?? "elsewhere";
    voice.dataset.number = mine?.number ?? 0;
    voice.replaceChildren(icon(mine?.hears && !mine.muted ? "speak" : "mute"), voiceOf(mine));
  };
  const tick = () => {
    if (call) status.textContent = describe(call);
    if (call?.ended && Date.now() - call.ended > AFTERGLOW) draw();
  };
  const show = (next) => {
    call = next;
    element.dataset.state = call.state;
    title.textContent = headline(call);
    tick();
    hear();
    speak();
    const talking = call.state === "established" && call.isAudioActive && !isRung(call);
    pad.hidden = !talking;
    pressed.textContent = call.pressed.join(" ");
    pressed.hidden = !talking || call.pressed.length === 0;
    if (shown !== keyed(call)) {
      shown = keyed(call);
      picture.replaceChildren(avatar(state.bots[call.bot].name, "bot", call.bot));
      buttons.replaceChildren(...choices(call));
    }
  };
  const close = () => {
    player.pause();
    element.remove();
  };
  return { show, tick, close };
}

/** The media host hears keys in the sound; the simulated Graph notes them, and hears them of calls whose media it hosts. */
function press(id, key) {
  line.press(id, key);
  attempt({ do: "press", call: id, key });
}

const keyed = (call) => [call.state, isRung(call), call.isListening, line.of(call.id)?.hears, line.of(call.id)?.muted].join();
const isOver = (call) => call.state === "terminated" || call.state === "terminating";

/** What becomes of one's own voice. */
function voiceOf(mine) {
  if (!mine) return "The sound of this call is elsewhere.";
  if (mine.state === "lost") return "The sound broke off.";
  if (mine.state === "connecting") return "Connecting the sound\u2026";
  if (!mine.hears) return "The bot does not hear you.";
  return mine.muted ? "Your microphone is off." : "The bot hears you.";
}

const isRung = (call) => call.ringing.includes(state.person);

function headline(call) {
  const bot = state.bots[call.bot].name;
  if (!isRung(call)) return call.person === state.person ? bot : `${bot} and ${Math.max(0, call.participants.length - 1)} others`;
  return call.direction === "outgoing" ? `${bot} is calling` : `${bot} hands on ${call.with || "a call"}`;
}

function describe(call) {
  if (isOver(call)) return ending(call);
  if (isRung(call)) return "Ringing\u2026";
  if (call.state !== "established" || !call.isAudioActive) return call.state === "established" ? STATES.establishing : STATES[call.state];
  const seconds = Math.max(0, Math.floor((Date.now() - call.began - millis(call.answeredAfter)) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const millis = (duration) => (duration ? duration.secs * 1000 + duration.nanos / 1e6 : 0);

function ending(call) {
  if (call.transferredTo) return `Handed on to ${call.transferredTo}`;
  const { code, subcode, message } = call.end ?? {};
  const reason = code === null || code === undefined ? message : `${message} (${code}/${subcode})`;
  return reason ? `Ended: ${reason}` : "Ended";
}

function choices(call) {
  const button = (kind, label, picture, testId, action) => h("button", { type: "button", class: `call-button ${kind}`, "data-testid": testId, onclick: action }, icon(picture), label);
  const mine = line.of(call.id);
  if (call.state === "terminated") {
    const dismiss = () => { dismissed.add(call.id); draw(); };
    return [button("quiet-call", "Close", "close", "call-dismiss", dismiss)];
  }
  if (isRung(call)) {
    return [
      button("accept", "Pick up", "phone", "pick-up-button", () => talk({ do: "pickUp", call: call.id, person: state.person })),
      button("refuse", "Decline", "hangup", "decline-button", () => attempt({ do: "decline", call: call.id, person: state.person })),
    ];
  }
  return [
    call.isListening && button("quiet-call", "Speak for 2 s", "speak", "speak-button", () => attempt({ do: "speak", call: call.id, seconds: 2 })),
    mine?.hears && button("quiet-call", mine.muted ? "Unmute" : "Mute", mine.muted ? "speak" : "mute", "mute-button", () => line.mute(call.id)),
    button("refuse", "Hang up", "hangup", "hang-up-button", () => attempt({ do: "hangUp", call: call.id })),
  ].filter(Boolean);
}

function bars() {
  return h("span", { class: "bars", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
}

/** The last part of an address. */
function name(uri) {
  try {
    return decodeURIComponent(new URL(uri).pathname.split("/").pop()) || uri;
  } catch {
    return uri;
  }
}
