// Plays what the address asks for (player, manifest, codec, estimate, buffer) and keeps account.
// A player is a function that starts it and returns { levels, force, automatic }, with levels from
// the lowest to the highest.
const asked = new URLSearchParams(location.search);
const video = document.querySelector("video");
const codec = asked.get("codec") ?? "";
const buffer = Number(asked.get("buffer") ?? 4); // seconds to load ahead
const estimate = Number(asked.get("estimate") ?? 0); // bit/s that the player is to believe in first
const found = { errors: [], warnings: [], heights: [], switches: [], stalls: 0 };

const scripts = {
  "hls.js": "node_modules/hls.js/dist/hls.min.js",
  "dash.js": "node_modules/dashjs/dist/modern/umd/dash.all.min.js",
  shaka: "node_modules/shaka-player/dist/shaka-player.compiled.js",
};

const byRate = (a, b) => a.rate - b.rate;
const switched = (height) => found.switches.push({ at: video.currentTime, height });

function startHlsJs(url) {
  const options = { maxBufferLength: buffer, maxMaxBufferLength: buffer, testBandwidth: false };
  if (estimate) options.abrEwmaDefaultEstimate = options.abrEwmaDefaultEstimateMax = estimate;
  const hls = new Hls(options);
  hls.on(Hls.Events.ERROR, (_, data) => {
    const text = `${data.details}: ${data.error?.message ?? data.reason ?? ""}`;
    (data.fatal ? found.errors : found.warnings).push(text);
  });
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, data) => switched(hls.levels[data.level].height));
  hls.loadSource(url);
  hls.attachMedia(video);
  const order = () => hls.levels.map((level, i) => (
    { i, height: level.height, rate: level.bitrate, codec: level.videoCodec }
  )).sort(byRate);
  return {
    version: Hls.version,
    levels: order,
    force: (level) => { hls.nextLevel = order()[level].i; },
    automatic: () => { hls.nextLevel = -1; },
  };
}

function startDashJs(url) {
  const player = dashjs.MediaPlayer().create();
  player.registerCustomCapabilitiesFilter(
    (representation) => !representation.width || representation.codecs.startsWith(codec),
  );
  const settings = {
    debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
    streaming: {
      buffer: {
        fastSwitchEnabled: true, bufferTimeDefault: buffer, bufferTimeAtTopQuality: buffer,
      },
      abr: { autoSwitchBitrate: { video: true } },
    },
  };
  if (estimate) settings.streaming.abr.initialBitrate = { video: estimate / 1000 };
  player.updateSettings(settings);
  player.on("error", (event) => found.errors.push(event.error?.message ?? String(event.error)));
  player.on("qualityChangeRendered", (event) => {
    if (event.mediaType === "video") switched(event.newRepresentation.height);
  });
  player.initialize(video, url, false);
  const automatic = (on) =>
    player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: on } } } });
  const order = () =>
    player.getRepresentationsByType("video").map((r) => (
      { i: r.id, height: r.height, rate: r.bandwidth, codec: r.codecs }
    )).sort(byRate);
  return {
    version: player.getVersion(),
    levels: order,
    force: (level) => {
      automatic(false);
      player.setRepresentationForTypeById("video", order()[level].i);
    },
    automatic: () => automatic(true),
  };
}

async function startShaka(url) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  const fail = (error) => {
    const isFatal = error.severity === shaka.util.Error.Severity.CRITICAL;
    (isFatal ? found.errors : found.warnings).push(`${error.code}: ${error.message}`);
  };
  player.addEventListener("error", (event) => fail(event.detail));
  player.addEventListener("adaptation", () => switched(active()?.height));
  player.addEventListener("variantchanged", () => switched(active()?.height));
  // A variant is a rung with a sound; those with the sound that plays are the rungs.
  const order = () => {
    const tracks = player.getVariantTracks();
    const sound = tracks.find((track) => track.active)?.audioId;
    return tracks.filter((track) => track.audioId === sound).map((track) => ({
      track, height: track.height, rate: track.bandwidth, codec: track.videoCodec,
      active: track.active,
    })).sort(byRate);
  };
  const active = () => order().find((level) => level.active);
  await player.attach(video);
  const settings = {
    preferredVideo: codec ? [{ codec }] : [],
    streaming: { bufferingGoal: buffer, rebufferingGoal: 1 },
    abr: { restrictToElementSize: false, switchInterval: 1 },
  };
  if (estimate) settings.abr.defaultBandwidthEstimate = estimate;
  player.configure(settings);
  player.load(url).catch(fail);
  return {
    version: shaka.Player.version,
    levels: () => order().map(({ track, ...level }) => level),
    force: (level) => {
      player.configure({ abr: { enabled: false } });
      player.selectVariantTrack(order()[level].track, true, 1);
    },
    automatic: () => player.configure({ abr: { enabled: true } }),
  };
}

const starts = { "hls.js": startHlsJs, "dash.js": startDashJs, shaka: startShaka };

window.bench = {
  state() {
    const quality = video.getVideoPlaybackQuality();
    const { buffered } = video;
    const ranges = Array.from(buffered, (_, i) => [buffered.start(i), buffered.end(i)]);
    return {
      ...found,
      version: bench.player?.version ?? "",
      levels: bench.player?.levels() ?? [],
      time: video.currentTime,
      duration: Number.isFinite(video.duration) ? video.duration : 0,
      ended: video.ended,
      buffered: ranges,
      height: video.videoHeight,
      decoded: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
    };
  },
  force: (level) => bench.player.force(level),
  automatic: () => bench.player.automatic(),
};

video.addEventListener("resize", () => video.videoHeight && found.heights.push(video.videoHeight));
video.addEventListener("error", () => found.errors.push(`media: ${video.error?.message}`));
video.addEventListener("waiting", () => {
  if (video.currentTime > 0 && !video.ended) found.stalls += 1;
});
const play = () => video.play().catch((error) => found.errors.push(String(error)));
video.addEventListener("canplay", play, { once: true });
window.addEventListener("error", (event) => found.errors.push(event.message));
window.addEventListener("unhandledrejection", (event) => found.errors.push(String(event.reason)));

const name = asked.get("player");
const script = document.createElement("script");
script.src = scripts[name];
script.addEventListener("error", () => found.errors.push(`${name} is not there`));
script.addEventListener("load", async () => {
  bench.player = await starts[name](asked.get("manifest"));
});
document.head.append(script);
