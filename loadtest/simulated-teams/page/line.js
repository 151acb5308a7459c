// The sound of a call that the bot's own media host carries: the microphone, a peer connection, and WHIP (RFC 9725).

import { lineOf, telephone } from "./api.js";
import { tell } from "./state.js";

/** How long candidates are gathered. The host needs none of ours: it answers checks wherever they come from. */
const GATHERING = 1000;
/** Milliseconds that a key is down, and between two keys: RTCDTMFSender's own defaults. */
const KEY = 100;
const PAUSE = 70;

/** By call: its line, from the first attempt to the end of the call. */
const lines = new Map();

/** The line of a call, if this page has one: `state` is `connecting`, `connected` or `lost`; `hears` and `muted` are of the microphone. */
export const of = (id) => lines.get(id);

/** The calls that have a line here. */
export const all = () => [...lines.keys()];

/**
 * Connects a call where the bot has said that its sound goes, for the `number`th time: a bot whose media host was lost names another one.
 * `show` is called whenever its line looks different.
 */
export async function connect(id, number, show) {
  const known = lines.get(id);
  if (known && (known.number >= number || known.state === "lost")) return;
  const line = known ?? { hears: false, muted: false, show };
  lines.set(id, line);
  leave(line);
  Object.assign(line, { number, state: "connecting", player: new Audio(), peer: null, sender: null, whip: null });
  try {
    const { whip, token } = await lineOf(id);
    // The microphone is asked for once, however often the sound goes elsewhere.
    const source = await (line.source ??= listenTo(line));
    // The call may have ended while somebody thought about the microphone.
    if (lines.get(id) !== line) return stop(source);
    if (line.number === number) await call(id, line, source, whip, token);
  } catch (error) {
    if (line.number === number) lose(id, line, `The call has no sound: ${error.message}`);
  }
}

/** The call is over. */
export function close(id) {
  const line = lines.get(id);
  if (!line) return;
  lines.delete(id);
  end(line);
}

/** Presses a key where the bot hears it; false when this page has no line for it. */
export function press(id, key) {
  const sender = lines.get(id)?.sender?.dtmf;
  if (!sender?.canInsertDTMF) return false;
  // What waits is told anew: a second key does not drop the first.
  sender.insertDTMF(sender.toneBuffer + key, KEY, PAUSE);
  return true;
}

/** Turns the microphone off, or on again. */
export function mute(id) {
  const line = lines.get(id);
  if (!line?.microphone) return;
  line.muted = !line.muted;
  for (const track of line.microphone.getAudioTracks()) track.enabled = !line.muted;
  line.show();
}

/** The microphone; where it is refused, silence: the bot is heard all the same, and hears keys. */
async function listenTo(line) {
  try {
    line.microphone = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } });
    line.hears = true;
    return line.microphone;
  } catch (error) {
    const refused = error.name === "NotAllowedError";
    tell("notice", refused ? "The microphone is not allowed: you hear the bot, it does not hear you. Allow it beside the page's address, and call again." : `There is no microphone (${error.message}): you hear the bot, it does not hear you.`);
    return silence(line);
  }
}

/** A microphone in a room without a sound. Without any source nothing would be sent, and with it no key. */
function silence(line) {
  line.silence = new AudioContext();
  const room = line.silence.createMediaStreamDestination();
  const nothing = new ConstantSourceNode(line.silence, { offset: 0 });
  nothing.connect(room);
  nothing.start();
  return room.stream;
}

async function call(id, line, microphone, whip, token) {
  const peer = new RTCPeerConnection();
  Object.assign(line, { peer, whip });
  line.sender = peer.addTrack(microphone.getAudioTracks()[0], microphone);
  peer.addEventListener("track", (event) => {
    line.player.srcObject = new MediaStream([event.track]);
    line.player.play().catch(() => tell("notice", "The browser keeps the bot silent until this page is touched."));
  });
  peer.addEventListener("connectionstatechange", () => {
    if (line.peer !== peer) return;
    if (peer.connectionState === "connected" && line.state === "connecting") {
      line.state = "connected";
      report("lineConnected", id, whip);
      line.show();
    }
    if (peer.connectionState === "failed" && lines.get(id) === line) lose(id, line, "The connection to the bot's media host broke.");
  });
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  const answer = await fetch(whip, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/sdp" },
    body: peer.localDescription.sdp,
  }).catch(() => { throw new Error("the bot's media host is not reached"); });
  if (answer.status !== 201) throw new Error(answer.status === 401 ? "the bot's media host does not take it any more; the microphone must be allowed within 30 seconds" : `the bot's media host answered ${answer.status}`);
  // An answer for a call that is over is of no use.
  if (peer.signalingState !== "closed") await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
}

function gathered(peer) {
  return new Promise((resolve) => {
    const look = () => { if (peer.iceGatheringState === "complete") resolve(); };
    peer.addEventListener("icegatheringstatechange", look);
    setTimeout(resolve, GATHERING);
    look();
  });
}

function lose(id, line, notice) {
  if (line.state === "lost") return;
  line.state = "lost";
  end(line);
  tell("notice", notice);
  if (line.whip) report("lineLost", id, line.whip);
  line.show();
}

/** The connection alone. */
function leave(line) {
  line.peer?.close();
  if (!line.player) return;
  line.player.pause();
  line.player.srcObject = null;
}

function end(line) {
  leave(line);
  line.silence?.close();
  if (line.microphone) stop(line.microphone);
}

function stop(microphone) {
  for (const track of microphone.getTracks()) track.stop();
}

/** A call that is over by now needs no report. */
function report(what, id, whip) {
  telephone({ do: what, call: id, whip }).catch(() => {});
}
