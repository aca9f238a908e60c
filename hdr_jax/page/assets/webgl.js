// Draws by WebGL2. Textures are half floats with levels of our own averaging, sampled by hand, so
// that the picture is the one that flat.js draws.

const VERTEX = `#version 300 es
void main() { // one triangle over everything
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0, 1);
}`;

const PIXELS_FROM = 6; // enlarged so far or more, every pixel is a square

const vec3 = (v) => `vec3(${v.map((x) => x.toFixed(6)).join(", ")})`;
const ramp = (name, colours) => `vec3 ${name}(float place) {
  vec3 ramp[${colours.length}] = vec3[](${colours.map(vec3).join(", ")});
  float at = clamp(place, 0.0, 1.0) * ${colours.length - 1}.0;
  int i = min(int(at), ${colours.length - 2});
  return mix(ramp[i], ramp[i + 1], at - float(i));
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
uniform sampler2D left, right, seen;
uniform vec2 gains, origin, size, canvas;
uniform float zoom, split, white, median, low, high;
uniform int mode, level;
uniform bool clipping, visibility;
out vec4 result;

${ramp("stopsRamp", RAMPS[STOPS])}
${ramp("differenceRamp", RAMPS[DIFFERENCE])}
${ramp("seenRamp", SEEN)}

float luma(vec3 x) { return dot(x, ${vec3(LUMINANCE)}); }

vec3 srgb(vec3 x) {
  x = clamp(x, 0.0, 1.0);
  return mix(1.055 * pow(x, vec3(1.0 / 2.4)) - 0.055, 12.92 * x, vec3(lessThanEqual(x, vec3(0.0031308))));
}

vec3 value(sampler2D image, vec2 p) { // p in pixels of the whole picture
  if (zoom >= ${PIXELS_FROM}.0) return texelFetch(image, ivec2(p), 0).rgb;
  ivec2 last = textureSize(image, level) - 1;
  vec2 q = p * vec2(last + 1) / size - 0.5;
  ivec2 i = ivec2(floor(q)), from = clamp(i, ivec2(0), last), to = clamp(i + 1, ivec2(0), last);
  vec2 part = q - vec2(i);
  vec3 above = mix(texelFetch(image, from, level).rgb, texelFetch(image, ivec2(to.x, from.y), level).rgb, part.x);
  vec3 below = mix(texelFetch(image, ivec2(from.x, to.y), level).rgb, texelFetch(image, to, level).rgb, part.x);
  return mix(above, below, part.y);
}

vec3 toned(vec3 x) {
  if (mode == ${CAMERA}) return srgb(x);
  if (mode == ${REINHARD}) {
    float y = max(luma(x), 0.0);
    return srgb(x * (1.0 + y / (white * white)) / (1.0 + y));
  }
  if (mode == ${MU_LAW}) return log(1.0 + ${MU}.0 * clamp(x, 0.0, 1.0)) / log(1.0 + ${MU}.0);
  if (mode == ${STOPS}) return stopsRamp((log2(max(luma(x), 1e-30) / median) - low) / (high - low));
  return clamp(x, 0.0, 1.0);
}

void main() {
  vec2 at = vec2(gl_FragCoord.x, canvas.y - gl_FragCoord.y);
  vec2 p = (at - origin) / zoom;
  if (any(lessThan(p, vec2(0))) || any(greaterThanEqual(p, size))) { result = vec4(0); return; }
  vec3 colour;
  if (mode == ${DIFFERENCE}) {
    float a = max(luma(value(left, p) * gains.x), 1e-30), b = max(luma(value(right, p) * gains.y), 1e-30);
    colour = differenceRamp(0.5 + log2(a / b) / ${2 * DIFFERENCE_RANGE}.0);
  } else {
    colour = at.x < split ? toned(value(left, p) * gains.x) : toned(value(right, p) * gains.y);
  }
  if (visibility) {
    float probability = value(seen, p).r;
    vec3 tint = seenRamp(probability) * (0.5 + 0.5 * luma(colour));
    colour = mix(colour, tint, clamp(4.0 * probability, 0.0, 1.0));
  }
  if (clipping && mod(floor(at.x) + floor(at.y), 8.0) < 4.0) {
    if (any(greaterThanEqual(colour, vec3(${WHITE_LEVEL})))) colour = ${vec3(MARK_WHITE)};
    else if (all(lessThan(colour, vec3(${BLACK_LEVEL})))) colour = ${vec3(MARK_BLACK)};
  }
  result = vec4(colour, 1);
}`;

function compiled(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

class WebglDrawing {
  // Null where the browser or its graphics cannot.
  static on(canvas, largest) {
    const gl = canvas.getContext("webgl2", { antialias: false });
    if (!gl || largest > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return null;
    const program = compiled(gl);
    return program && new WebglDrawing(gl, program);
  }

  constructor(gl, program) {
    this.name = "WebGL2";
    this.gl = gl;
    this.textures = new Map();
    this.places = {};
    const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
    for (let i = 0; i < count; i++) {
      const { name } = gl.getActiveUniform(program, i);
      this.places[name] = gl.getUniformLocation(program, name);
    }
    gl.useProgram(program);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 2);
    gl.bindVertexArray(gl.createVertexArray());
    ["left", "right", "seen"].forEach((name, unit) => gl.uniform1i(this.places[name], unit));
  }

  // Another scene: its rasters become textures when they are first drawn.
  clear() {
    for (const texture of this.textures.values()) this.gl.deleteTexture(texture);
    this.textures.clear();
  }

  bind(unit, raster) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    if (!this.textures.has(raster)) {
      this.textures.set(raster, gl.createTexture());
      gl.bindTexture(gl.TEXTURE_2D, this.textures.get(raster));
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST_MIPMAP_NEAREST);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LEVEL, raster.levels.length - 1);
      raster.levels.forEach(({ width, height, bits }, level) =>
        gl.texImage2D(gl.TEXTURE_2D, level, gl.RGB16F, width, height, 0, gl.RGB, gl.HALF_FLOAT, bits));
    }
    gl.bindTexture(gl.TEXTURE_2D, this.textures.get(raster));
  }

  draw(frame) {
    const { gl, places } = this, { left, right, tone, place } = frame;
    const { width, height } = gl.canvas;
    gl.viewport(0, 0, width, height);
    [left, right, frame.seen || left].forEach((raster, unit) => this.bind(unit, raster));
    gl.uniform2f(places.gains, tone.gains[0] * left.scale, tone.gains.at(-1) * right.scale);
    gl.uniform2f(places.origin, place.x, place.y);
    gl.uniform2f(places.size, left.width, left.height);
    gl.uniform2f(places.canvas, width, height);
    for (const name of ["white", "median", "low", "high"]) gl.uniform1f(places[name], tone[name]);
    gl.uniform1f(places.zoom, place.zoom);
    gl.uniform1f(places.split, frame.split);
    gl.uniform1i(places.mode, tone.mode);
    gl.uniform1i(places.level, levelFor(left, place.zoom));
    gl.uniform1i(places.clipping, frame.clipping);
    gl.uniform1i(places.visibility, Boolean(frame.seen));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

// The level of a raster that is reduced as far as the drawing or less.
function levelFor(raster, zoom) {
  return clamp(Math.floor(Math.log2(1 / zoom)), 0, raster.levels.length - 1);
}
