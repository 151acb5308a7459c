// What the page asks of the server that it came from.

async function read(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}`);
  return answer.json();
}

export const world = () => read("/api/world");
export const messages = () => read("/api/messages");
export const traffic = () => read("/api/traffic");

export const calls = () => read("/api/calls");
export const call = (id) => read(`/api/calls/${encodeURIComponent(id)}`);

/** What lets this page into the bot's media host for a call. */
export const lineOf = (id) => read(`/api/calls/${encodeURIComponent(id)}/line`);

/** Lets a person do something; an error carries what the person should read. */
export const act = (action) => post("/api/actions", action);

/** The same on the telephone. */
export const telephone = (action) => post("/api/calls", action);

async function post(path, action) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(action),
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error ?? `The server answered ${answer.status}`);
  return body;
}

/** Replaces the faults of the Connector. */
export async function setFaults(faults) {
  const answer = await fetch("/api/faults", { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(faults) });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
}

/** Follows changes. `onConnect` is called whenever everything must be loaded anew. */
export function follow(onChange, onConnect, onState) {
  const source = new EventSource("/api/events");
  source.addEventListener("hello", () => {
    onState(true);
    onConnect();
  });
  source.addEventListener("lost", onConnect);
  source.addEventListener("message", (event) => onChange(JSON.parse(event.data)));
  source.addEventListener("error", () => onState(false));
}
