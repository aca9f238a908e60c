// Radiance to display values: the tone maps, and what they need to know of a map.
// The shader in webgl.js says the same; a test holds them to each other.

const CAMERA = 0, REINHARD = 1, MU_LAW = 2, STOPS = 3, DIFFERENCE = 4, EXPOSURE = 5;
const TONE_MAPS = [
  { mode: CAMERA, label: "Camera", hint: "sRGB; clips as a photograph does" },
  { mode: REINHARD, label: "Reinhard", hint: "global operator; 1 % of the pixels white" },
  { mode: MU_LAW, label: "Mu law", hint: "log(1 + 5000 H) / log 5001" },
  { mode: STOPS, label: "Stops", hint: "luminance in stops from the median, in false colours" },
  { mode: DIFFERENCE, label: "Difference", hint: "stops by which A is brighter than B" },
];
const KEY = 0.18, MU = 5000, DIFFERENCE_RANGE = 3, TINY = 1e-30;
const WHITE_LEVEL = 254.5 / 255, BLACK_LEVEL = 0.5 / 255; // rounds to 255, to 0

const RAMPS = {
  // Dark to bright; lightness rises up to the yellow.
  [STOPS]: [[.12, .07, .28], [.19, .24, .67], [.08, .53, .75], [.16, .73, .50], [.73, .85, .25],
    [.98, .69, .16], [.87, .29, .11], [.55, .05, .08]],
  // B brighter, equal, A brighter.
  [DIFFERENCE]: [[.07, .24, .55], [.36, .61, .86], [.95, .95, .94], [.94, .55, .38], [.60, .07, .10]],
};
// As hdr_jax.metrics.visibility_picture, at probabilities 0, 0.25, 0.5, 0.75, 1.
const SEEN = [[.1, .3, 1], [.1, .3, 1], [.1, .8, .3], [1, .85, 0], [.9, .05, 0]];
const MARK_WHITE = [1, .1, .55], MARK_BLACK = [.1, .55, 1];

const clamp = (x, low = 0, high = 1) => Math.min(Math.max(x, low), high);
const luminance = ([r, g, b]) => LUMINANCE[0] * r + LUMINANCE[1] * g + LUMINANCE[2] * b;
const encodeSrgb = (x) => (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);

// The colour at a place in [0, 1] of a ramp.
function onRamp(ramp, place) {
  const at = clamp(place) * (ramp.length - 1), i = Math.min(Math.floor(at), ramp.length - 2);
  return ramp[i].map((value, c) => value + (ramp[i + 1][c] - value) * (at - i));
}

// What a drawing multiplies radiance by, and the scales of its colours.
//   mode, stops: of the exposure; maps: statistics of A and B; match: whether B is brought to A
function toneOf(mode, stops, maps, match) {
  const [a] = maps, up = 2 ** stops;
  const gain = { [CAMERA]: KEY / a.logMean, [REINHARD]: KEY / a.logMean, [MU_LAW]: 1 / a.peak };
  const factor = (map) => (match && map.match) || 1;
  const fixed = mode === STOPS || mode === DIFFERENCE;
  return {
    mode,
    gains: maps.map((map) => factor(map) * (fixed ? 1 : (gain[mode] ?? 1) * up)),
    white: Math.max((a.white * KEY * up) / a.logMean, 1e-6),
    median: a.median,
    low: a.low,
    high: a.high,
  };
}

// Display values in [0, 1] of a linear colour after its gain.
function toneMapped(tone, x) {
  switch (tone.mode) {
    case CAMERA:
      return x.map((v) => encodeSrgb(clamp(v)));
    case REINHARD: {
      const y = Math.max(luminance(x), 0);
      const compressed = (1 + y / tone.white ** 2) / (1 + y);
      return x.map((v) => encodeSrgb(clamp(v * compressed)));
    }
    case MU_LAW:
      return x.map((v) => Math.log(1 + MU * clamp(v)) / Math.log(1 + MU));
    case STOPS: {
      const stops = Math.log2(Math.max(luminance(x), TINY) / tone.median);
      return onRamp(RAMPS[STOPS], (stops - tone.low) / (tone.high - tone.low));
    }
    default:
      return x.map((v) => clamp(v));
  }
}

function differenceColour(a, b) {
  const stops = Math.log2(Math.max(luminance(a), TINY) / Math.max(luminance(b), TINY));
  return onRamp(RAMPS[DIFFERENCE], 0.5 + stops / (2 * DIFFERENCE_RANGE));
}

// The visibility overlay on a display colour.
function seenOver(colour, probability) {
  const tint = onRamp(SEEN, probability), share = clamp(4 * probability);
  const gray = 0.5 + 0.5 * luminance(colour);
  return colour.map((v, c) => v + (tint[c] * gray - v) * share);
}

// The clipping overlay: stripes where a channel is white or all are black.
function clippingOver(colour, x, y) {
  if ((x + y) % 8 >= 4) return colour;
  if (colour.some((v) => v >= WHITE_LEVEL)) return MARK_WHITE;
  return colour.every((v) => v < BLACK_LEVEL) ? MARK_BLACK : colour;
}

// Levels that the camera gives a radiance at some stops from the metered exposure.
function cameraLevels(radiance, stops, map) {
  const gain = (KEY * 2 ** stops) / map.logMean;
  return radiance.map((v) => Math.round(255 * encodeSrgb(clamp(v * gain))));
}
