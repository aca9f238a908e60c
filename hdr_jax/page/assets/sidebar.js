// What stands beside and below the picture, but the read-out.

const cssRamp = (ramp) =>
  `linear-gradient(to right, ${ramp.map((c) => `rgb(${c.map((v) => Math.round(255 * v)).join(" ")})`).join(", ")})`;

// The histogram of a map in stops, with what the camera shows of it at an exposure.
function drawHistogram(map, stops) {
  const svg = byId("histogram"), { low, high, histogram } = map;
  const most = Math.max(...histogram), n = histogram.length;
  const tops = histogram.map((share, i) => `L${i} ${46 - 44 * Math.sqrt(share / most)}h1`).join("");
  const at = (stop) => clamp(((stop - low) / (high - low)) * n, 0, n);
  // From the radiance of level 1 / 2 to that of white, in stops from the median.
  const white = Math.log2(map.logMean / (KEY * map.median)) - stops;
  const black = white + Math.log2(BLACK_LEVEL / 12.92);
  svg.setAttribute("viewBox", `0 0 ${n} 46`);
  svg.setAttribute("aria-label", `Histogram of luminance, ${signed(low, 1)} to ${signed(high, 1)} stops from the median; ` +
    `at this exposure a camera shows ${signed(black, 1)} to ${signed(white, 1)}`);
  const lines = [black, white].filter((stop) => stop > low && stop < high)
    .map((stop) => element("line", { x1: at(stop), x2: at(stop), y1: 0, y2: 46 }));
  svg.replaceChildren(
    element("rect", { x: at(black), width: at(white) - at(black), y: 0, height: 46 }),
    element("path", { d: `M0 46${tops}V46z` }), ...lines);
}

// A radio button for each tone map.
function fillTones(count, choose) {
  const shownMaps = TONE_MAPS.filter(({ mode }) => mode !== DIFFERENCE || count > 1);
  byId("tones").replaceChildren(byId("tones").firstElementChild, ...shownMaps.map(({ mode, label, hint }) =>
    element("label", { title: hint }, element("input", { type: "radio", name: "tone", value: mode, onchange: () => choose(mode) }),
      element("span", {}, label))));
  return shownMaps.map(({ mode }) => mode);
}

// The scale of a tone map in false colours.
function drawRamp(tone, { low, high }) {
  const scale = byId("ramp");
  scale.hidden = !RAMPS[tone];
  if (scale.hidden) return;
  scale.firstElementChild.style.background = cssRamp(RAMPS[tone]);
  const ends = tone === STOPS ? [low, high] : [-DIFFERENCE_RANGE, DIFFERENCE_RANGE];
  const words = tone === STOPS ? "stops from the median" : "stops, A over B";
  scale.lastElementChild.replaceChildren(...[signed(ends[0], 1), words, signed(ends[1], 1)].map((t) => element("span", {}, t)));
}

// A small picture of a raster, after a tone map.
function thumbnail(raster, tone, side = 160) {
  const zoom = Math.min(1, side / Math.max(raster.width, raster.height));
  const canvas = element("canvas", {
    width: Math.max(1, Math.round(raster.width * zoom)), height: Math.max(1, Math.round(raster.height * zoom)),
  });
  canvas.setAttribute("aria-hidden", "true");
  new FlatDrawing(canvas).draw({ left: raster, right: raster, tone, split: Infinity, place: { x: 0, y: 0, zoom } });
  return canvas;
}

// One button for each exposure, with a picture from each stack.
function fillStrip(exposures, labels, choose) {
  const buttons = exposures.map(({ ev, pictures }, i) =>
    element("button", { type: "button", "aria-pressed": "false", onclick: () => choose(i) },
      ...pictures, element("span", {}, evText(ev))));
  const rows = element("div", { class: "rows" }, ...labels.map((label) => element("span", {}, label)));
  byId("strip").replaceChildren(...(labels.length ? [rows] : []), ...buttons);
  return buttons;
}

// ln exposure over the level, full lines for the first response and dotted ones for the second.
function drawCurves(curves) {
  const card = byId("curves");
  card.hidden = !curves.length;
  if (card.hidden) return;
  const all = curves.flatMap(({ g }) => g.flat());
  const low = Math.min(...all), high = Math.max(...all), width = 300, height = 170;
  const y = (v) => height - (height * (v - low)) / (high - low || 1);
  const paths = curves.flatMap(({ g }, j) => g.map((channel, c) => element("path", {
    class: `${g.length === 3 ? NAMES[c] : "blue"} ${j ? "dotted" : ""}`,
    d: channel.map((v, z) => `${z ? "L" : "M"}${((width * z) / (channel.length - 1)).toFixed(1)} ${y(v).toFixed(1)}`).join(""),
  })));
  const marks = [];
  for (let v = Math.ceil(low / 2) * 2; v <= high; v += 2)
    marks.push(element("line", { x1: 0, x2: width, y1: y(v), y2: y(v) }), element("text", { x: -4, y: y(v) + 3, "text-anchor": "end" }, String(v)));
  for (const [level, anchor] of [[0, "start"], [128, "middle"], [255, "end"]])
    marks.push(element("text", { x: (width * level) / 255, y: height + 13, "text-anchor": anchor }, level === 128 ? "level of 255" : String(level)));
  const label = `Log inverse responses: ${curves.map(({ label }, j) => `${label} ${j ? "dotted" : "full lines"}`).join(", ")}`;
  card.replaceChildren(card.firstElementChild,
    element("svg", { viewBox: `-22 -4 ${width + 26} ${height + 22}`, role: "img", "aria-label": label }, ...marks, ...paths),
    element("p", {}, `ln exposure; ${label.split(": ")[1]}`));
}

// Scores of the scene, beside their mean over all scenes.
function fillScores(scores, summary) {
  const card = byId("scores"), names = Object.keys(scores);
  card.hidden = !names.length && !Object.keys(summary).length;
  const text = (value) => (typeof value === "number" ? value.toFixed(3) : String(value ?? ""));
  const all = names.length ? names : Object.keys(summary);
  const columns = Object.keys(summary).length ? ["this scene", "mean \u00b1 sd"] : [];
  card.replaceChildren(card.firstElementChild, element("table", {}, ...(columns.length ? [head(columns)] : []),
    ...all.map((name) => row(name, columns.length ? [text(scores[name]), text(summary[name])] : [text(scores[name])]))));
}
