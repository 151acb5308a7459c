// A person calls a bot with a real microphone: Chromium's own, which plays a file over and over.

import assert from 'node:assert/strict';
import { join } from 'node:path';

const fake = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
/** Says the tone of `voice.wav` in the directory. */
const speaking = (directory) => [...fake, `--use-file-for-fake-audio-capture=${join(directory, 'voice.wav')}`];

/** More flags of the browser, by scenario. */
export const flags = {
  microphone: speaking,
  moved: speaking,
  menu: speaking,
  refused: () => ['--use-fake-device-for-media-stream', '--deny-permission-prompts'],
};

// What the prompts and the voice sound like, in Hz; the tests write the files.
const VOICE = 700;
const WELCOME = 450;
const MENU = 1400;
const GOODBYE = 950;

/** At a bot that sends back what it hears: the own voice comes back, unless the microphone is off. */
async function microphone(person, directory) {
  await withoutCleaning(person.page);
  await person.opens('Trunkline bot');
  await calls(person);
  // So long that the recording holds more than a second of it.
  await hears(person, VOICE, 1_500);
  assert.equal(await person.at('call-line').innerText(), 'The bot hears you.');
  await picture(person, directory, 'heard');
  await person.at('mute-button').click();
  await person.at('call-line').filter({ hasText: 'Your microphone is off.' }).waitFor();
  await hearsNothing(person);
  await picture(person, directory, 'muted');
  await person.at('mute-button').click();
  await hears(person, VOICE);
  await person.at('hang-up-button').click();
  await inState(person, 'terminated').waitFor();
}

/** At the same bot, whose media host is killed meanwhile: the page goes to the next one without a hand, and the microphone stays as it was. */
async function moved(person, directory) {
  await withoutCleaning(person.page);
  await person.opens('Trunkline bot');
  await calls(person);
  await hears(person, VOICE, 500);
  // A call can be led elsewhere once Graph has established it.
  await inState(person, 'established').waitFor();
  await picture(person, directory, 'before');
  await connected(person, 2);
  await hears(person, VOICE, 500);
  assert.equal(await person.at('call-line').innerText(), 'The bot hears you.');
  await picture(person, directory, 'after');
  await person.at('hang-up-button').click();
  await inState(person, 'terminated').waitFor();
}

/** At the reception on media of its own: it is heard, and hears keys. */
async function menu(person, directory) {
  await person.opens('reception');
  await calls(person);
  await hears(person, WELCOME);
  await hears(person, MENU);
  await picture(person, directory, 'menu');
  await pressesKey(person, '*');
  await hears(person, GOODBYE);
  await inState(person, 'terminated').waitFor();
  await picture(person, directory, 'over');
}

/** The same without a microphone: it is said clearly, and all the rest works. */
async function refused(person, directory) {
  await person.opens('reception');
  await calls(person);
  await person.at('toast').filter({ hasText: 'The microphone is not allowed: you hear the bot, it does not hear you.' }).waitFor();
  await person.at('call-line').filter({ hasText: 'The bot does not hear you.' }).waitFor();
  await picture(person, directory, 'refused');
  assert.equal(await person.at('mute-button').count(), 0);
  await hears(person, MENU);
  await pressesKey(person, '*');
  await hears(person, GOODBYE);
  await inState(person, 'terminated').waitFor();
}

export const scenarios = { microphone, moved, menu, refused };

const inState = (person, state) => person.page.locator(`[data-testid=call][data-state=${state}]`);
const picture = (person, directory, name) => person.page.screenshot({ path: join(directory, `sound-${name}.png`) });
const pressesKey = (person, key) => person.page.locator(`[data-testid=call-key][data-key="${key}"]`).click();

/** Browsers take a steady tone for noise, and what comes back for an echo: a voice they would not. */
async function withoutCleaning(page) {
  await page.evaluate(() => {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = () => ask({ audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false } });
  });
}

/** Calls the bot of the open chat, and puts an ear on its sound. */
async function calls(person) {
  await person.at('call-button').click();
  await connected(person, 1);
}

/** Waits until the sound of the call is connected where the bot has led it for the `number`th time, and puts an ear on it. */
async function connected(person, number) {
  await person.page.locator(`[data-testid=call-line][data-line=connected][data-number="${number}"]`).waitFor();
  const call = await person.at('call').getAttribute('data-call');
  await person.page.evaluate(async (call) => {
    const { of } = await import('/page/line.js');
    const context = new AudioContext();
    await context.resume();
    const analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(of(call).player.srcObject).connect(analyser);
    const levels = new Float32Array(analyser.frequencyBinCount);
    // The strongest frequency of the last sixth of a second, and its level.
    window.strongest = () => {
      analyser.getFloatFrequencyData(levels);
      const bin = levels.reduce((best, level, place) => (level > levels[best] ? place : best), 0);
      return { hz: bin * context.sampleRate / analyser.fftSize, level: levels[bin] };
    };
  }, call);
}

/** Waits until the tone is heard, without a break for so many milliseconds. */
async function hears(person, hz, length = 0) {
  await person.page.evaluate(() => { window.heardSince = undefined; });
  await person.page.waitForFunction(({ hz, length }) => {
    const { hz: strongest, level } = window.strongest();
    const isHeard = level > -60 && Math.abs(strongest - hz) < 15;
    const now = performance.now();
    window.heardSince = isHeard ? (window.heardSince ?? now) : undefined;
    return isHeard && now - window.heardSince >= length;
  }, { hz, length });
}

async function hearsNothing(person) {
  await person.page.waitForFunction(() => window.strongest().level < -70);
}
