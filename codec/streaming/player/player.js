// Playback and controls. menu.js has the menu, panel.js what is below the stage; both go by `page`.
"use strict";
const at = (id) => document.getElementById(id);
const stage = at("stage");
const video = stage.querySelector("video");
const stream = JSON.parse(at("stream").textContent);
const HIDE_MS = 2600;
const STEP_S = 5;

// `hls` is null where the browser plays HLS itself; `chosen` is a rung of `codec`, or -1 for
// automatic.
const page = { hls: null, codec: null, codecs: [], chosen: -1, draw: () => {} };

const text = (seconds) => {
  const whole = Math.floor(seconds || 0);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((n) => String(n).padStart(2, "0"));
  if (whole < 3600) return parts.join(":").replace(/^0/, "");
  return Math.floor(whole / 3600) + ":" + parts.join(":");
};
const rate = (kbits) =>
  kbits < 1000 ? Math.round(kbits) + " kbit/s"
  : (kbits / 1000).toFixed(kbits < 10000 ? 2 : 1) + " Mbit/s";
const icon = (button, name) => button.querySelector("use").setAttribute("href", "#i-" + name);

function make(kind, properties, ...children) {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
}

function say(...content) {
  at("notice").replaceChildren(make("span", {}, ...content));
  at("notice").hidden = content.length === 0;
}

// Codecs and rungs

const type = (codec, rung) => 'video/mp4; codecs="' + rung.codec + '"';

async function playable(codec) {
  const top = codec.rungs.reduce((a, b) => (b.height > a.height ? b : a));
  const source = self.ManagedMediaSource ?? self.MediaSource;
  if (!source?.isTypeSupported(type(codec, top))) return null;
  const configuration = {
    type: "media-source",
    video: {
      contentType: type(codec, top), width: top.width, height: top.height,
      bitrate: top.kbits * 1000, framerate: stream.rate,
    },
  };
  try {
    return await navigator.mediaCapabilities.decodingInfo(configuration);
  } catch {
    return { supported: true, smooth: true, powerEfficient: false };
  }
}

// Of codecs that play smoothly the last, hence smallest; those that spare the battery go first.
function favourite(codecs) {
  const smooth = codecs.filter((codec) => codec.info.smooth);
  const efficient = smooth.filter((codec) => codec.info.powerEfficient);
  return [efficient, smooth, codecs.slice(0, 1)].find((list) => list.length)?.at(-1);
}

// hls.js orders levels by itself, and lists those that the browser plays alone.
function levelOf(rung) {
  return page.hls?.levels.findIndex((l) => l.height === rung.height && l.width === rung.width
    && (!l.videoCodec || l.videoCodec === rung.codec)) ?? -1;
}

function rungOf(level) {
  const found = page.hls?.levels[level];
  return found ? page.codec.rungs.findIndex((rung) => levelOf(rung) === level) : -1;
}

page.current = () => rungOf(page.hls ? page.hls.currentLevel : -1);

page.choose = (codec, rung) => {
  page.chosen = rung;
  if (codec !== page.codec) return load(codec, video.currentTime, !video.paused);
  // While it plays the switch waits for the next segment; else what is loaded is loaded anew.
  const way = video.paused || video.ended ? "currentLevel" : "nextLevel";
  if (page.hls) page.hls[rung < 0 ? "nextLevel" : way] = rung < 0 ? -1 : levelOf(codec.rungs[rung]);
  refresh();
};

function load(codec, position, playing) {
  page.hls?.destroy();
  page.codec = codec;
  const hls = new Hls({
    startPosition: position || -1, capLevelToPlayerSize: true, maxBufferLength: 20,
  });
  page.hls = hls;
  hls.subtitleDisplay = false; // menu.js draws them
  const text = shownText;
  let mended = 0;
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    if (page.chosen >= 0) hls.startLevel = hls.nextLevel = levelOf(codec.rungs[page.chosen]);
    refresh();
    document.documentElement.dataset.ready = "true";
    if (playing) play();
  });
  hls.on(Hls.Events.LEVEL_SWITCHED, () => {
    if (video.paused) seek(video.currentTime); // else the picture stays that of the other rung
  });
  hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => { if (text >= 0) subtitle(text); });
  hls.on(Hls.Events.SUBTITLE_TRACK_SWITCH, (_, data) => { shownText = data.id; });
  for (const event of ["LEVEL_SWITCHED", "AUDIO_TRACKS_UPDATED", "AUDIO_TRACK_SWITCHED",
    "SUBTITLE_TRACKS_UPDATED", "SUBTITLE_TRACK_SWITCH"]) hls.on(Hls.Events[event], refresh);
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && mended++ < 2) return hls.recoverMediaError();
    say("This stream cannot be played: " + data.details + ".");
  });
  hls.loadSource(codec.master);
  hls.attachMedia(video);
  refresh();
}

function refresh() {
  const rung = page.codec?.rungs[page.current()];
  at("badge").textContent = rung ? rung.height + "p · " + page.codec.label : "Auto";
  at("badge").hidden = !page.hls;
  at("captions").hidden = subtitles().length === 0;
  at("captions").setAttribute("aria-pressed", String(shownText >= 0));
  if (!at("menu").hidden) drawMenu();
  page.draw();
}

// Controls

const play = () => video.play().catch(() => say()); // the browser wants a click first
const toggle = () => (video.paused || video.ended ? play() : video.pause());

function seek(seconds) {
  video.currentTime = Math.min(Math.max(seconds, 0), video.duration || stream.duration);
}

function loudness(volume) {
  video.volume = Math.min(Math.max(volume, 0), 1);
  video.muted = video.volume === 0;
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (stage.requestFullscreen) stage.requestFullscreen();
  else video.webkitEnterFullscreen?.(); // phones of Apple
}

const pictureInPicture = () =>
  document.pictureInPictureElement ? document.exitPictureInPicture()
  : video.requestPictureInPicture();

function drawTime() {
  const length = video.duration || stream.duration;
  const ranges = video.buffered;
  let loaded = 0;
  for (let i = 0; i < ranges.length; i++)
    if (ranges.start(i) <= video.currentTime + 0.1) loaded = ranges.end(i);
  at("time").textContent = text(video.currentTime);
  at("length").textContent = " / " + text(length);
  at("seek").max = length;
  at("seek").value = video.currentTime;
  at("seek").setAttribute("aria-valuetext", text(video.currentTime) + " of " + text(length));
  at("seek").style.setProperty("--played", (100 * video.currentTime) / length + "%");
  at("seek").style.setProperty("--loaded", (100 * loaded) / length + "%");
}

function drawButtons() {
  const name = video.ended ? "again" : video.paused ? "play" : "pause";
  const word = { again: "Play again", play: "Play", pause: "Pause" }[name];
  for (const id of ["play", "big"]) {
    icon(at(id), name);
    at(id).setAttribute("aria-label", word);
  }
  at("play").title = word + " (space)";
  at("big").hidden = !video.paused && !video.ended;
  const silent = video.muted || video.volume === 0;
  icon(at("mute"), silent ? "muted" : "sound");
  at("mute").setAttribute("aria-label", silent ? "Unmute" : "Mute");
  at("volume").value = silent ? 0 : video.volume;
  const level = 100 * at("volume").value + "%";
  at("volume").style.setProperty("--played", level);
  at("volume").style.setProperty("--loaded", level);
  wake();
}

let timer = 0;
function wake() {
  stage.classList.remove("quiet");
  clearTimeout(timer);
  timer = setTimeout(() => {
    const busy = video.paused || !at("menu").hidden
      || stage.querySelector("#controls :focus-visible");
    stage.classList.toggle("quiet", !busy);
    }, HIDE_MS);
}

// Thumbnails: a WebVTT file whose cues name parts of pictures, `1.jpg#xywh=0,0,160,90`.

let thumbnails = null;
async function loadThumbnails() {
  thumbnails = [];
  if (!stream.thumbnails) return;
  const base = new URL(stream.thumbnails, location.href);
  const seconds = (stamp) => stamp.split(":").reduce((sum, part) => 60 * sum + Number(part), 0);
  const cue = /([\d:.]+) --> ([\d:.]+).*\n(\S+?)#xywh=(?:pixel:)?(\d+),(\d+),(\d+),(\d+)/g;
  const answer = await fetch(base);
  if (!answer.ok) return;
  for (const [, from, to, file, ...box] of (await answer.text()).replace(/\r/g, "").matchAll(cue))
    thumbnails.push({ from: seconds(from), to: seconds(to), url: new URL(file, base).href, box });
}

function preview(event) {
  if (!thumbnails) loadThumbnails().then(() => at("preview").hidden || preview(event));
  const bar = at("seek").getBoundingClientRect();
  const share = Math.min(Math.max((event.clientX - bar.left) / bar.width, 0), 1);
  const moment = share * (video.duration || stream.duration);
  const found = thumbnails?.find((t) => moment >= t.from && moment < t.to) ?? thumbnails?.at(-1);
  const picture = at("picture");
  if (found) {
    const [x, y, width, height] = found.box;
    picture.style.cssText = "width:" + width + "px;height:" + height + "px;background-image:url('"
      + encodeURI(decodeURI(found.url)) + "');background-position:-" + x + "px -" + y + "px";
  }
  const box = at("preview");
  box.hidden = false;
  box.querySelector("output").textContent = text(moment);
  const half = box.offsetWidth / 2;
  const place = bar.left - stage.getBoundingClientRect().left + share * bar.width;
  box.style.left = Math.min(Math.max(place, half + 8), stage.clientWidth - half - 8) + "px";
}

const keys = {
  " ": toggle, k: toggle, m: () => { video.muted = !video.muted; }, f: fullScreen,
  c: () => toggleSubtitles(), i: () => { if (!at("pip").hidden) pictureInPicture(); },
  ArrowLeft: () => seek(video.currentTime - STEP_S),
  ArrowRight: () => seek(video.currentTime + STEP_S),
  ArrowUp: () => loudness(video.volume + 0.1), ArrowDown: () => loudness(video.volume - 0.1),
  ",": () => { video.pause(); seek(video.currentTime - 1 / stream.rate); },
  ".": () => { video.pause(); seek(video.currentTime + 1 / stream.rate); },
};

function press(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape" && !at("menu").hidden) return openMenu(false, at("settings"));
  const on = event.target.closest?.("button, a, summary, input:not(#seek)");
  if (on && (event.key === " " || on.matches("input"))) return; // they have a use for the key
  const tenth = /^[0-9]$/.test(event.key) ? Number(event.key) / 10 : null;
  const action = tenth === null ? keys[event.key]
    : () => seek(tenth * (video.duration || stream.duration));
  if (!action) return;
  event.preventDefault();
  wake();
  action();
}

function takeOver() {
  video.controls = false;
  at("controls").hidden = false;
  at("pip").hidden = !document.pictureInPictureEnabled;
  at("full").hidden = !stage.requestFullscreen && !video.webkitEnterFullscreen;
  for (const [id, action] of [["play", toggle], ["big", toggle], ["full", fullScreen],
    ["pip", pictureInPicture], ["captions", toggleSubtitles],
    ["mute", () => { video.muted = !video.muted; }]]) at(id).addEventListener("click", action);
  for (const id of ["settings", "badge"])
    at(id).addEventListener("click", () => openMenu(at("menu").hidden, at(id)));
  video.addEventListener("click", () => (at("menu").hidden ? toggle() : openMenu(false)));
  video.addEventListener("dblclick", fullScreen);
  at("seek").addEventListener("input", () => seek(Number(at("seek").value)));
  at("volume").addEventListener("input", () => loudness(Number(at("volume").value)));
  for (const event of ["pointermove", "pointerdown"]) at("seek").addEventListener(event, preview);
  at("seek").addEventListener("pointerleave", () => { at("preview").hidden = true; });
  for (const event of ["timeupdate", "progress", "durationchange", "seeking", "seeked"])
    video.addEventListener(event, drawTime);
  for (const event of ["play", "pause", "ended", "volumechange", "seeked"])
    video.addEventListener(event, drawButtons);
  for (const event of ["pointermove", "pointerdown", "focusin"])
    stage.addEventListener(event, wake);
  for (const event of ["addtrack", "removetrack", "change"])
    video.textTracks.addEventListener(event, refresh);
  video.textTracks.addEventListener("addtrack", ({ track }) =>
    track.addEventListener("cuechange", drawCues));
  document.addEventListener("keydown", press);
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("#menu, #settings, #badge, video")) openMenu(false);
  });
  drawTime();
  drawButtons();
  refresh();
}

async function start() {
  if (location.protocol === "file:") {
    video.controls = false;
    return say(
      "Browsers play streams over HTTP only. Serve this folder, then open the address shown:",
      make("code", { textContent: "python -m http.server" }));
  }
  if (self.Hls?.isSupported()) {
    const found = await Promise.all(stream.codecs.map(playable));
    page.codecs = stream.codecs.map((codec, i) => ({ ...codec, info: found[i] }))
      .filter((codec) => codec.info);
    const first = favourite(page.codecs);
    if (!first) return say("This browser plays none of these codecs: "
      + stream.codecs.map((codec) => codec.label).join(", ") + ".");
    takeOver();
    return load(first, 0, false);
  }
  if (!video.canPlayType("application/vnd.apple.mpegurl")) return say("This browser plays no HLS.");
  video.src = stream.codecs[0].master; // Chromium's own HLS fails where it switches codecs
  takeOver();
  document.documentElement.dataset.ready = "true";
}
