// What the page knows, and who wants to hear of it.

import * as api from "./api.js";

const REMEMBERED = "trunkline.simulated-teams";
const remembered = JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}");

export const state = {
  people: [],
  bots: [],
  conversations: [],
  /** By conversation id: messages in the order of their ids. */
  messages: new Map(),
  exchanges: [],
  /** By id: calls that run, and those that ended while the page was open. */
  calls: new Map(),
  person: remembered.person ?? 0,
  conversation: remembered.conversation ?? null,
  theme: remembered.theme ?? "auto",
  /** By conversation id: bots that are typing, with the time at which that is over. */
  typing: new Map(),
  /** By person and conversation: the id of the last message that was seen. */
  seen: new Map(Object.entries(remembered.seen ?? {})),
  connected: true,
  botEndpoint: "",
  faults: [],
};

const listeners = new Set();

/** Calls `listener` with the name of what changed: `world`, `messages`, `typing`, `exchange`, `call`, `place`, `notice`. */
export function listen(listener) {
  listeners.add(listener);
}

export function tell(what, detail) {
  for (const listener of listeners) listener(what, detail);
}

export function remember() {
  const { person, conversation, theme } = state;
  localStorage.setItem(REMEMBERED, JSON.stringify({ person, conversation, theme, seen: Object.fromEntries(state.seen) }));
}

export async function loadAll() {
  const [world, messages, exchanges, calls] = await Promise.all([api.world(), api.messages(), api.traffic(), api.calls()]);
  Object.assign(state, { people: world.people, bots: world.bots, conversations: world.conversations, botEndpoint: world.botEndpoint, faults: world.faults, exchanges });
  state.messages = new Map(world.conversations.map((conversation) => [conversation.id, []]));
  for (const message of messages) state.messages.get(message.conversation)?.push(message);
  const known = state.calls;
  state.calls = new Map(calls.filter((call) => call.state !== "terminated" || known.has(call.id)).map((call) => [call.id, call]));
  if (state.person >= state.people.length) state.person = 0;
  if (!mine().some((conversation) => conversation.id === state.conversation)) state.conversation = mine()[0]?.id ?? null;
  tell("world");
}

export function apply(change) {
  switch (change.change) {
    case "message":
      put(change.message);
      break;
    case "typing": {
      const typing = state.typing.get(change.conversation) ?? new Map();
      typing.set(change.bot, Date.now() + 8000);
      state.typing.set(change.conversation, typing);
      tell("typing");
      setTimeout(() => tell("typing"), 8100);
      break;
    }
    case "conversation": {
      const place = state.conversations.findIndex((conversation) => conversation.id === change.conversation.id);
      if (place >= 0) state.conversations[place] = change.conversation;
      tell("world");
      break;
    }
    case "notice":
      if (change.person === state.person) tell("notice", change.text);
      break;
    case "call":
      readCall(change.call);
      break;
    case "exchange":
      state.exchanges.push(change.exchange);
      if (state.exchanges.length > 300) state.exchanges.shift();
      tell("exchange", change.exchange);
      break;
  }
}

/** Calls that are being read, and whether they changed meanwhile. */
const reading = new Map();

async function readCall(id) {
  if (reading.has(id)) return reading.set(id, true);
  do {
    reading.set(id, false);
    const call = await api.call(id).catch(() => null);
    if (!call) break;
    // A call that ended before it was ever shown is none of this page's.
    if (call.state !== "terminated" || state.calls.has(id)) {
      state.calls.set(id, call);
      tell("call", call);
    }
  } while (reading.get(id));
  reading.delete(id);
}

function put(message) {
  const messages = state.messages.get(message.conversation);
  if (!messages) return;
  const place = messages.findIndex((other) => other.id === message.id);
  if (place >= 0) messages[place] = message;
  else messages.push(message);
  if (message.from.kind === "bot") state.typing.get(message.conversation)?.delete(message.from.number);
  tell("messages", message);
}

/** The calls that concern the person: own ones, those that ring, and those of several. */
export function myCalls() {
  return [...state.calls.values()].filter((call) => call.person === state.person || call.ringing.includes(state.person)
    || call.participants.some((participant) => participant.person === state.person));
}

/** The conversations that the person is in. */
export function mine() {
  return state.conversations.filter((conversation) => conversation.members.includes(state.person));
}

export function current() {
  return mine().find((conversation) => conversation.id === state.conversation) ?? null;
}

export function me() {
  return state.people[state.person];
}

export function isMine(message) {
  return message.from.kind === "person" && message.from.number === state.person;
}

export function typists(conversation) {
  const typing = state.typing.get(conversation) ?? new Map();
  return [...typing].filter(([, until]) => until > Date.now()).map(([bot]) => state.bots[bot]);
}

const seenKey = (conversation) => `${state.person} ${conversation}`;

export function unread(conversation) {
  const seen = state.seen.get(seenKey(conversation.id)) ?? "";
  const messages = state.messages.get(conversation.id) ?? [];
  return messages.filter((message) => message.id > seen && !isMine(message) && !message.deleted).length;
}

export function markSeen() {
  const last = state.messages.get(state.conversation)?.at(-1)?.id ?? "";
  if (state.conversation && state.seen.get(seenKey(state.conversation)) !== last) {
    state.seen.set(seenKey(state.conversation), last);
    remember();
  }
}

export function goTo(conversation) {
  state.conversation = conversation;
  remember();
  tell("place");
}

export function become(person) {
  state.person = person;
  const same = state.conversations.find((conversation) => conversation.id === state.conversation);
  // From one's own chat with a bot to the other person's chat with the same bot.
  if (same && !same.members.includes(person)) {
    const other = mine().find((conversation) => same.bot !== undefined && conversation.bot === same.bot);
    state.conversation = (other ?? mine()[0])?.id ?? null;
  }
  remember();
  tell("world");
}
