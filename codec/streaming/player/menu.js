// The menu: quality, codec, sound, subtitles, speed.
"use strict";

// The language in words, before a name that says no more than which track it is.
function named(name, language) {
  let words = "";
  try {
    words = new Intl.DisplayNames(["en"], { type: "language" }).of(language);
  } catch {
    return { label: name, note: "" }; // no language, or none that the standard knows
  }
  const plain = !name || name === language || /^(Sound|Subtitles|audio)[ _]\d+$/.test(name) || language === "und";
  if (plain && language !== "und") return { label: words, note: "" };
  return { label: name, note: language === "und" || words === name ? "" : words };
}

const group = (name, choices) => ({ name, choices });

function groups() {
  const { hls, codec } = page;
  const found = [];
  if (hls && codec) {
    const current = codec.rungs[page.current()];
    const note = page.chosen < 0 && current ? current.height + "p" : "";
    found.push(group("Quality", [
      { label: "Automatic", note, on: page.chosen < 0, pick: () => page.choose(codec, -1) },
      ...codec.rungs.map((rung, i) => ({
        label: rung.height + "p", note: rate(rung.kbits), on: page.chosen === i,
        pick: () => page.choose(codec, i),
      })).sort((a, b) => parseInt(b.label) - parseInt(a.label)),
    ]));
    if (page.codecs.length > 1) found.push(group("Codec", page.codecs.map((other) => ({
      label: other.label, on: other === codec, pick: () => page.choose(other, -1),
    }))));
    if (hls.audioTracks.length > 1) found.push(group("Sound", hls.audioTracks.map((track, i) => ({
      ...named(track.name, track.lang), on: hls.audioTrack === i,
      pick: () => { hls.audioTrack = i; },
    }))));
  }
  const tracks = subtitles();
  if (tracks.length) found.push(group("Subtitles", [
    { label: "Off", on: shownText < 0, pick: () => subtitle(-1) },
    ...tracks.map((track, i) => ({
      ...named(track.label, track.language), on: shownText === i, pick: () => subtitle(i),
    })),
  ]));
  found.push(group("Speed", [0.5, 1, 1.5, 2].map((speed) => ({
    label: speed === 1 ? "Normal" : speed + "×", on: video.playbackRate === speed,
    pick: () => { video.playbackRate = speed; },
  }))));
  return found;
}

// Subtitles are drawn here: browsers leave them under the controls. `shownText` is their number.
let shownText = -1;

const subtitles = () =>
  [...video.textTracks].filter((t) => t.kind === "subtitles" || t.kind === "captions");

function subtitle(chosen) {
  shownText = chosen;
  if (page.hls) page.hls.subtitleTrack = chosen; // else nothing loads its segments
  subtitles().forEach((track, i) => { track.mode = i === chosen ? "hidden" : "disabled"; });
  drawCues();
  refresh();
}

function toggleSubtitles() {
  subtitle(shownText < 0 && subtitles().length ? 0 : -1);
}

function drawCues() {
  const cues = [...(subtitles()[shownText]?.activeCues ?? [])];
  const isHigh = (cue) => (cue.snapToLines ? cue.line >= 0 : cue.line < 50);
  at("cues").classList.toggle("high", cues.length > 0 && cues.every(isHigh));
  at("cues").replaceChildren(...cues.map((cue) => make("p", {}, cue.getCueAsHTML())));
}

// Entries stay while their words do, for a click must not lose its element.
let listed = [];
let words = "";

function drawMenu() {
  listed = groups();
  const now = JSON.stringify(listed.map((g) => [g.name, g.choices.map((c) => c.label)]));
  if (now !== words) at("menu").replaceChildren(...listed.map(fieldset));
  words = now;
  listed.forEach(({ choices }, g) => choices.forEach((choice, c) => {
    const label = at("menu").children[g].querySelectorAll("label")[c];
    label.querySelector("input").checked = choice.on;
    label.querySelector("small").textContent = choice.note ?? "";
  }));
}

function fieldset({ name, choices }, g) {
  return make("fieldset", { className: name.toLowerCase() }, make("legend", { textContent: name }),
    ...choices.map(({ label }, c) => {
      const input = make("input", { type: "radio", name });
      input.addEventListener("change", () => { listed[g].choices[c].pick(); refresh(); });
      return make("label", {}, input, make("span", { textContent: label }), make("small", {}));
    }));
}

function openMenu(open, by) {
  at("menu").hidden = !open;
  for (const id of ["settings", "badge"]) at(id).setAttribute("aria-expanded", String(open));
  if (open) {
    drawMenu();
    at("menu").querySelector("input:checked")?.focus();
  } else by?.focus();
}
