// Unpacks what hdr_jax/page/_encoding.py packed, and keeps pictures as half floats.

const LUMINANCE = [0.2126, 0.7152, 0.0722]; // ITU-R BT.709

// The value of every half float by its bits.
const VALUE = new Float32Array(65536);
for (let bits = 0; bits < 65536; bits++) {
  const exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  const magnitude = exponent ? 2 ** (exponent - 15) * (1 + mantissa / 1024) : 2 ** -24 * mantissa;
  VALUE[bits] = bits & 0x8000 ? -magnitude : magnitude;
}

const FLOAT = new Float32Array(1), WORD = new Uint32Array(FLOAT.buffer);

// The bits of the half float nearest to a value, |value| < 65520.
function half(value) {
  FLOAT[0] = Math.abs(value);
  const sign = value < 0 ? 0x8000 : 0;
  if (FLOAT[0] < 2 ** -14) return sign | Math.round(FLOAT[0] * 2 ** 24);
  return sign | (((WORD[0] + 0x1000) >> 13) - (112 << 10));
}

async function inflate(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Undoes the prediction of one channel; integers modulo 2^16.
function unpredict(bytes, start, highStart, width, height) {
  const out = new Int16Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const left = x ? out[i - 1] : 0, above = y ? out[i - width] : 0;
      const corner = x && y ? out[i - width - 1] : 0;
      const low = Math.min(left, above), high = Math.max(left, above);
      const predicted = Math.min(Math.max(left + above - corner, low), high);
      const folded = bytes[start + i] | (bytes[highStart + i] << 8);
      out[i] = predicted + ((folded >> 1) ^ -(folded & 1));
    }
  }
  return out;
}

// The channels of a stored array as Int16Arrays.
async function unpack({ width, height, channels, data }) {
  const bytes = await inflate(data), count = width * height;
  const planes = [];
  for (let c = 0; c < channels; c++)
    planes.push(unpredict(bytes, c * count, (channels + c) * count, width, height));
  if (channels === 3)
    for (let i = 0; i < count; i++) {
      planes[0][i] += planes[1][i];
      planes[2][i] += planes[1][i];
    }
  return planes;
}

// A picture of three channels as half floats, and the same reduced to a half, a quarter, ...
class Raster {
  constructor(width, height, bits, scale = 1) {
    this.width = width;
    this.height = height;
    this.scale = scale; // a stored value times it is the radiance
    this.levels = [{ width, height, bits }];
    for (let level = this.levels[0]; level.width > 1 && level.height > 1; ) {
      level = halved(level);
      this.levels.push(level);
    }
  }

  // The values of a pixel.
  at(x, y) {
    const i = 3 * (y * this.width + x), { bits } = this.levels[0];
    return [0, 1, 2].map((c) => VALUE[bits[i + c]] * this.scale);
  }
}

function halved({ width, height, bits }) {
  const w = width >> 1, h = height >> 1, out = new Uint16Array(3 * w * h);
  for (let y = 0, o = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const i = 3 * (2 * y * width + 2 * x), below = i + 3 * width;
      for (let c = 0; c < 3; c++, o++) {
        const sum = VALUE[bits[i + c]] + VALUE[bits[i + 3 + c]];
        out[o] = half((sum + VALUE[bits[below + c]] + VALUE[bits[below + 3 + c]]) / 4);
      }
    }
  }
  return { width: w, height: h, bits: out };
}

function interleaved(planes, bitsOf) {
  const bits = new Uint16Array(3 * planes[0].length);
  for (let c = 0; c < 3; c++) {
    const plane = planes[planes.length === 3 ? c : 0];
    for (let i = 0; i < plane.length; i++) bits[3 * i + c] = bitsOf(plane[i]);
  }
  return bits;
}

async function radianceRaster(stored) {
  const { width, height, shift, exponent } = stored;
  const bitsOf = (k) => (k < 0 ? 0x8000 | (-k << shift) : k << shift);
  const bits = interleaved(await unpack(stored), bitsOf);
  return new Raster(width, height, bits, 2 ** -exponent);
}

// Levels of 255 as values in [0, 1].
async function pictureRaster(stored) {
  const table = Uint16Array.from({ length: 256 }, (_, level) => half(level / 255));
  const bits = interleaved(await unpack(stored), (level) => table[level]);
  return new Raster(stored.width, stored.height, bits);
}
