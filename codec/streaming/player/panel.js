// What is below the stage: facts, the ladder of rungs, and figures of now.
"use strict";
const SAMPLE_MS = 500;
const SAMPLES = 120; // a minute
const FEWEST = 40; // of the width of the chart
const samples = [];

const widest = Math.max(...stream.codecs.flatMap((codec) => codec.rungs.map((r) => r.kbits)));

function drawFacts() {
  const sizes = stream.codecs.flatMap((codec) => codec.rungs).sort((a, b) => b.height - a.height);
  const codecs = stream.codecs.map((codec) => codec.label).join(", ");
  at("facts").textContent = [text(stream.duration), sizes[0].width + "×" + sizes[0].height,
    Number(stream.rate.toFixed(3)) + " frames a second", codecs].join(" · ");
}

function rungRow(codec, rung, i) {
  const bar = make("i", {});
  bar.style.setProperty("--share", rung.kbits / widest);
  const row = make("button", { type: "button", className: "rung" },
    make("span", { textContent: rung.height + "p" }), bar,
    make("span", { textContent: rate(rung.kbits) }));
  row.addEventListener("click", () => page.choose(known(codec), i));
  return { codec, i, row, height: rung.height };
}

const known = (codec) => page.codecs.find((other) => other.master === codec.master);

const rows = stream.codecs.flatMap((codec) => {
  const own = codec.rungs.map((rung, i) => rungRow(codec, rung, i));
  own.sort((a, b) => b.height - a.height);
  const heading = make("h3", {}, codec.label, make("small", {}));
  at("rungs").append(make("div", { className: "codec" }, heading, ...own.map(({ row }) => row)));
  return own;
});

function drawLadder() {
  const current = page.current();
  for (const { codec, i, row } of rows) {
    const found = known(codec);
    const own = Boolean(found) && found === page.codec;
    row.disabled = !found || !page.hls;
    row.setAttribute("aria-current", String(own && current === i));
    row.setAttribute("aria-pressed", String(own && page.chosen === i));
    const absent = page.hls && !found ? "not in this browser" : "";
    row.parentElement.querySelector("small").textContent = absent;
  }
  at("auto").disabled = !page.hls;
}

function value(id, number, unit) {
  at(id).replaceChildren(number, " ", make("small", { textContent: unit }));
}

function ahead() {
  for (let i = 0; i < video.buffered.length; i++) {
    const [start, end] = [video.buffered.start(i), video.buffered.end(i)];
    if (video.currentTime >= start - 0.1 && video.currentTime < end) return end - video.currentTime;
  }
  return 0;
}

// A line over the samples, in steps: what was measured or chosen held until the next.
function path(of) {
  const all = samples.flatMap((s) => [s.bandwidth, s.rung]).filter((v) => v > 0);
  const [low, high] = [Math.log(Math.min(...all) / 1.3), Math.log(Math.max(...all) * 1.3)];
  const width = Math.max(samples.length, FEWEST) - 1;
  const first = width + 1 - samples.length;
  let line = "";
  samples.forEach((sample, i) => {
    if (!(of(sample) > 0)) return;
    const x = ((300 * (first + i)) / width).toFixed(1);
    const y = (84 - (84 * (Math.log(of(sample)) - low)) / (high - low)).toFixed(1);
    line += line ? "H" + x + "V" + y : "M" + x + " " + y;
  });
  return line;
}

function drawNow() {
  const rung = page.codec?.rungs[page.current()];
  const bandwidth = page.hls?.bandwidthEstimate / 1000;
  const measured = Number.isFinite(bandwidth) && video.buffered.length > 0;
  if (rung) value("now-rung", rung.height + "p", page.codec.label);
  else if (video.videoHeight) value("now-rung", video.videoHeight + "p", "");
  value("now-buffer", ahead().toFixed(1), "s");
  if (measured) value("now-bandwidth", ...rate(bandwidth).split(" "));
  const quality = video.getVideoPlaybackQuality?.();
  const { droppedVideoFrames: dropped, totalVideoFrames: decoded } = quality ?? {};
  if (quality) value("now-dropped", String(dropped), "of " + decoded);
  if (!page.hls || video.paused) return;
  samples.push({ bandwidth: measured ? bandwidth : 0, rung: rung?.kbits ?? 0 });
  if (samples.length > SAMPLES) samples.shift();
  at("history").querySelector(".band").setAttribute("d", path((s) => s.bandwidth));
  at("history").querySelector(".rung").setAttribute("d", path((s) => s.rung));
}

at("auto").addEventListener("click", () => { if (page.codec) page.choose(page.codec, -1); });
page.draw = drawLadder;
drawFacts();
drawLadder();
drawNow();
setInterval(drawNow, SAMPLE_MS);

start();
