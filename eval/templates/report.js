const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const hidden = new Set();
const mainMetric = data.metrics[0].key;
const dark = matchMedia("(prefers-color-scheme: dark)");

function option(value, text) {
  const element = document.createElement("option");
  element.value = value;
  element.textContent = text ?? value;
  return element;
}

function cell(kind, content, className) {
  const element = document.createElement(kind);
  element.append(content);
  if (className) element.className = className;
  return element;
}

function percent(value) {
  if (typeof value !== "number") return cell("td", value ?? "–", "number absent");
  const sign = value > 0 ? "+" : value < 0 ? "−" : "";
  return cell("td", `${sign}${Math.abs(value).toFixed(1)} %`, value < 0 ? "number fewer" : "number more");
}

function themed(spec) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim();
  const line = style.getPropertyValue("--line").trim();
  const narrow = document.body.clientWidth < 640;
  spec.background = null;
  spec.width = "container";
  spec.autosize = { type: "fit-x", contains: "padding" };
  spec.config = {
    axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line },
    legend: { labelColor: ink, titleColor: ink, orient: narrow ? "bottom" : "right", columns: narrow ? 2 : 1 },
    text: { fill: ink },
    view: { stroke: null },
  };
  return spec;
}

function drawCurves() {
  const metric = data.metrics.find((entry) => entry.key === at("metric").value);
  const spec = structuredClone(data.curveSpec);
  spec.datasets = {
    points: data.points[metric.key].filter(
      (row) => !hidden.has(row.codec) && (at("published").checked || !row.published),
    ),
  };
  for (const layer of spec.layer) {
    layer.encoding.x.scale.type = at("scale").value;
    layer.encoding.y.title = metric.label;
    for (const tip of layer.encoding.tooltip) if (tip.field === "value") tip.title = metric.label;
  }
  return vegaEmbed("#curves", themed(spec), { actions: false, renderer: "svg" });
}

function drawSpeeds() {
  if (!at("speeds")) return undefined;
  const spec = structuredClone(data.speedSpec);
  const rates = data.rates[mainMetric][at("anchor").value] ?? {};
  spec.datasets = {
    points: data.speeds
      .map((row) => ({ ...row, rate: row.codec === at("anchor").value ? 0 : rates[row.codec] }))
      .filter((row) => typeof row.rate === "number"),
  };
  return vegaEmbed("#speeds", themed(spec), { actions: false, renderer: "svg" });
}

function drawRates() {
  const anchor = at("anchor").value;
  const head = document.createElement("tr");
  head.append(cell("th", "codec"));
  for (const metric of data.metrics) head.append(cell("th", metric.label, "number"));
  at("rates").tHead.replaceChildren(head);
  const rows = data.names.filter((name) => name !== anchor);
  const value = (name) => data.rates[mainMetric][anchor]?.[name];
  rows.sort((a, b) => (typeof value(a) === "number" ? value(a) : 1e9) - (typeof value(b) === "number" ? value(b) : 1e9));
  at("rates").tBodies[0].replaceChildren(
    ...rows.map((name) => {
      const row = document.createElement("tr");
      row.append(cell("td", name));
      for (const metric of data.metrics) row.append(percent(data.rates[metric.key][anchor]?.[name]));
      return row;
    }),
  );
}

function drawPictures(key, descending) {
  if (!at("per-picture")) return;
  const columns = ["name", "size", ...data.measured.filter((name) => name !== "ncodec")];
  const head = document.createElement("tr");
  for (const column of columns) {
    const button = cell("button", column + (column === key ? (descending ? " ↓" : " ↑") : ""));
    button.addEventListener("click", () => drawPictures(column, column === key && !descending));
    head.append(cell("th", button, columns.indexOf(column) > 1 ? "number" : ""));
  }
  at("per-picture").tHead.replaceChildren(head);
  const rows = [...data.pictures];
  if (key) {
    const order = (a, b) =>
      typeof a === "number" && typeof b === "number" ? a - b
      : typeof a === "number" ? -1 : typeof b === "number" ? 1
      : String(a).localeCompare(String(b), undefined, { numeric: true });
    rows.sort((a, b) => (descending ? -1 : 1) * order(a[key], b[key]));
  }
  at("per-picture").tBodies[0].replaceChildren(
    ...rows.map((entry) => {
      const row = document.createElement("tr");
      for (const column of columns) {
        row.append(columns.indexOf(column) < 2 ? cell("td", entry[column]) : percent(entry[column]));
      }
      return row;
    }),
  );
}

function sampleOf(codec) {
  const picture = at("picture").value;
  if (codec === "original") return data.samples.find((s) => s.picture === picture && s.codec === codec);
  const rate = Number(at("rate").value);
  return data.samples.find((s) => s.picture === picture && s.codec === codec && s.target_bpp === rate);
}

function drawViewer() {
  for (const side of ["left", "right"]) {
    const codec = at(side).value;
    const sample = sampleOf(codec);
    const image = at(`${side}-image`);
    image.hidden = !sample;
    at(`${side}-caption`).textContent = !sample ? `${codec}: failed here`
      : codec === "original" ? "original"
      : `${codec}: ${sample.bpp.toFixed(3)} bpp, ${sample.psnr.toFixed(2)} dB`;
    if (!sample) continue;
    image.onload = () => { image.width = image.naturalWidth * Number(at("zoom").value); };
    image.src = sample.image;
  }
}

function slide(share) {
  const held = Math.max(0, Math.min(100, share));
  at("viewer").style.setProperty("--share", `${held}%`);
  at("slider").value = held;
}

function startViewer() {
  if (!at("viewer")) return;
  const unique = (key) => [...new Set(data.samples.map((s) => s[key]))];
  at("picture").append(...unique("picture").map((name) => option(name)));
  at("rate").append(...unique("target_bpp").filter(Boolean).sort().map((rate) => option(rate, `${rate} bpp`)));
  for (const side of ["left", "right"]) at(side).append(...unique("codec").map((name) => option(name)));
  const codecs = unique("codec").filter((name) => name !== "original");
  at("left").value = codecs.includes("ncodec") ? "ncodec" : codecs[0] ?? "original";
  at("right").value = codecs.find((name) => name !== at("left").value) ?? "original";
  for (const id of ["picture", "rate", "left", "right", "zoom"]) at(id).addEventListener("change", drawViewer);
  at("slider").addEventListener("input", () => slide(Number(at("slider").value)));
  const follow = (event) => {
    const box = at("viewer").getBoundingClientRect();
    slide((100 * (event.clientX - box.left)) / box.width);
  };
  at("viewer").addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse") at("viewer").setPointerCapture(event.pointerId);
    follow(event);
  });
  at("viewer").addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  drawViewer();
}

function start() {
  at("anchor").append(...data.names.map((name) => option(name)));
  at("anchor").value = data.names.find((name) => /^(JPEG|x264)/.test(name)) ?? data.names[0];
  for (const name of data.measured) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(name); else hidden.add(name);
      drawCurves();
    });
    const label = document.createElement("label");
    label.append(box, ` ${name}`);
    at("codecs").append(label);
  }
  for (const id of ["metric", "scale", "published"]) at(id).addEventListener("change", drawCurves);
  at("anchor").addEventListener("change", () => { drawRates(); drawSpeeds(); });
  dark.addEventListener("change", () => { drawCurves(); drawSpeeds(); });
  drawRates();
  drawPictures();
  startViewer();
  return Promise.all([drawCurves(), drawSpeeds()]);
}

start().then(() => { document.documentElement.dataset.ready = "yes"; });
