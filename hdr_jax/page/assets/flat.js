// Draws without WebGL, pixel by pixel on the processor; what webgl.js does, in plain numbers.

class FlatDrawing {
  constructor(canvas) {
    this.name = "canvas 2D";
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
  }

  clear() {}

  draw(frame) {
    const { width, height } = this.canvas, { left, place } = frame;
    const image = this.context.createImageData(width, height);
    const level = place.zoom >= PIXELS_FROM ? null : levelFor(left, place.zoom);
    for (let y = 0, o = 0; y < height; y++) {
      const row = (y + 0.5 - place.y) / place.zoom;
      for (let x = 0; x < width; x++, o += 4) {
        const column = (x + 0.5 - place.x) / place.zoom;
        if (row < 0 || column < 0 || row >= left.height || column >= left.width) continue;
        const colour = colourAt(frame, column, row, x, y, level);
        for (let c = 0; c < 3; c++) image.data[o + c] = 255 * colour[c]; // rounds and clamps
        image.data[o + 3] = 255;
      }
    }
    this.context.putImageData(image, 0, 0);
  }
}

function colourAt({ left, right, seen, tone, split, clipping }, column, row, x, y, level) {
  const a = () => sample(left, column, row, level, tone.gains[0] * left.scale);
  const b = () => sample(right, column, row, level, tone.gains.at(-1) * right.scale);
  let colour;
  if (tone.mode === DIFFERENCE) colour = differenceColour(a(), b());
  else colour = toneMapped(tone, x + 0.5 < split ? a() : b());
  if (seen) colour = seenOver(colour, sample(seen, column, row, level, 1)[0]);
  return clipping ? clippingOver(colour, x, y) : colour;
}

// A value of a raster: of the pixel where it is enlarged (level null), else between the four
// nearest of a level.
function sample(raster, column, row, level, gain) {
  const { width, height, bits } = raster.levels[level ?? 0];
  if (level === null) {
    const i = 3 * (Math.floor(row) * width + Math.floor(column));
    return [VALUE[bits[i]] * gain, VALUE[bits[i + 1]] * gain, VALUE[bits[i + 2]] * gain];
  }
  const qx = (column * width) / raster.width - 0.5, qy = (row * height) / raster.height - 0.5;
  const ix = Math.floor(qx), iy = Math.floor(qy), px = qx - ix, py = qy - iy;
  const x0 = clamp(ix, 0, width - 1), x1 = clamp(ix + 1, 0, width - 1);
  const above = clamp(iy, 0, height - 1) * width, below = clamp(iy + 1, 0, height - 1) * width;
  const out = [0, 0, 0];
  for (let c = 0; c < 3; c++) {
    const v = (i) => VALUE[bits[3 * i + c]];
    const top = v(above + x0) + (v(above + x1) - v(above + x0)) * px;
    const bottom = v(below + x0) + (v(below + x1) - v(below + x0)) * px;
    out[c] = (top + (bottom - top) * py) * gain;
  }
  return out;
}
