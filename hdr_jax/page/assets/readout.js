// The table of what is known about one pixel.

const NAMES = ["red", "green", "blue"];
const signed = (x, digits = 2) => {
  const text = Math.abs(x).toFixed(digits);
  return Number(text) === 0 ? text : (x < 0 ? "\u2212" : "+") + text;
};
const evText = (ev) => `${signed(ev, Number.isInteger(ev) ? 0 : 2)} EV`;
const shown = (x) => {
  const size = Math.abs(x);
  const text = x === 0 || (size >= 0.001 && size < 1e5) ? String(Number(x.toPrecision(4))) : x.toExponential(3);
  return text.replace("-", "\u2212");
};

// An element with properties, attributes (aria-..., class) and children.
function element(name, properties = {}, ...children) {
  const svg = ["svg", "path", "line", "text", "rect"].includes(name);
  const space = svg ? byId("histogram").namespaceURI : document.documentElement.namespaceURI;
  const made = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(properties))
    if (key in made && !svg && !key.includes("-")) made[key] = value;
    else made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function row(label, values, properties = {}) {
  const cells = values.map((value) => (value instanceof Node ? value : element("td", {}, value)));
  return element("tr", properties, element("th", { scope: "row" }, label), ...cells);
}

const head = (labels) =>
  element("tr", {}, element("td"), ...labels.map((label) => element("th", { scope: "col", title: label }, label)));

// Levels of three channels; those at the end of the scale are marked.
function levelsCell(levels) {
  const clipped = levels.some((level) => level === 255);
  return element("td", clipped ? { class: "clipped", title: "clipped" } : {}, levels.join(" "));
}

// stops from each map's median; null where there is no light
const fromMedian = (values, map) => {
  const y = luminance(values);
  return y > 0 ? Math.log2(y / map.median) : null;
};
const stopsText = (stops) => (stops === null ? "no light" : signed(stops));

function differenceText(values, maps, match) {
  const factor = (match && maps[1].match) || 1;
  const [a, b] = [luminance(values[0]), luminance(values[1]) * factor];
  return a > 0 && b > 0 ? `${signed(Math.log2(a / b))} stops` : "no light";
}

// pixel {x, y}, maps, rasters, exposures [{ev, levels: one for each map}], chosen: an exposure
function readout(pixel, scene, match, exposures, chosen) {
  const { maps } = scene, { x, y } = pixel;
  const values = scene.rasters.map((raster) => raster.at(x, y));
  const rows = NAMES.map((name, c) => row(name, values.map((v) => shown(v[c])), { "data-row": name }));
  rows.push(row("luminance", values.map((v) => shown(luminance(v))), { "data-row": "luminance" }));
  rows.push(row("stops from median", values.map((v, i) => stopsText(fromMedian(v, maps[i]))), { "data-row": "stops" }));
  const across = (text) => [element("td", { colSpan: 2 }, text)];
  if (maps.length > 1)
    rows.push(row("A brighter by", across(differenceText(values, maps, match)), { "data-row": "difference" }));
  if (scene.seen)
    rows.push(row("seen by", across(`${Math.round(100 * scene.seen.at(x, y)[0])} % of viewers`), { "data-row": "seen" }));
  exposures.forEach(({ ev, levels }, i) =>
    rows.push(row(`level, ${evText(ev)}`, levels.map(levelsCell),
      { class: `${i ? "" : "gap"} ${i === chosen ? "chosen" : ""}`, "data-ev": ev })));
  const labels = maps.length > 1 ? maps.map((map, i) => `${"AB"[i]}: ${map.label}`) : [];
  return [
    element("h2", {}, "Read-out", element("small", { "data-row": "pixel" }, `column ${x}, row ${y}`)),
    element("table", {}, ...(labels.length ? [head(labels)] : []), ...rows),
    element("p", {}, precisionText(scene)),
  ];
}

// What the numbers are good for.
function precisionText({ maps, size, rasters: [raster] }) {
  const error = Math.max(...maps.map(({ shift }) => 100 * 2 ** (shift - 11)));
  const text = `Radiance to within ${Number(error.toPrecision(2))} %.`;
  if (!size) return text;
  return `${text} The file has ${size[1]} x ${size[0]} pixels: each of these ${raster.width} x ${raster.height} is a mean.`;
}

// One sentence, for those who listen.
function spoken(pixel, scene) {
  const parts = scene.maps.map((map, i) => {
    const values = scene.rasters[i].at(pixel.x, pixel.y);
    const label = scene.maps.length > 1 ? `${"AB"[i]}: ` : "";
    return `${label}${values.map((v, c) => `${NAMES[c]} ${shown(v)}`).join(", ")}, ${stopsText(fromMedian(values, map))} stops from the median`;
  });
  return `Column ${pixel.x}, row ${pixel.y}. ${parts.join(". ")}.`;
}
