// The picture's place on the screen: size, zoom, the divider, and which pixel is pointed at.

const byId = (id) => document.getElementById(id);
const MAX_ZOOM = 64, KEY_ZOOM = 1.5, DRAGGED = 4; // pixels of the screen

class Stage {
  // on: {draw(), picked(x, y), divided(share)}
  constructor(on, largest) {
    this.on = on;
    this.root = byId("stage");
    this.canvas = byId("picture");
    this.choose(largest, location.hash === "#canvas");
    this.place = { x: 0, y: 0, zoom: 1 };
    this.fitted = true;
    this.pointers = new Map();
    new ResizeObserver(() => this.resize()).observe(this.root);
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "dblclick"])
      this.canvas.addEventListener(name, (event) => this[name](event));
    this.listenToDivider();
    byId("zoom-in").onclick = () => this.zoomBy(KEY_ZOOM);
    byId("zoom-out").onclick = () => this.zoomBy(1 / KEY_ZOOM);
    byId("zoom-fit").onclick = () => this.toggleFit();
  }

  // WebGL where there is one; a canvas that it has touched has no 2D context any more.
  choose(largest, flat) {
    this.drawing = flat ? null : WebglDrawing.on(this.canvas, largest);
    if (this.drawing) {
      this.canvas.addEventListener("webglcontextlost", () => location.replace("#canvas") || location.reload());
    } else {
      const fresh = this.canvas.cloneNode();
      this.canvas.replaceWith(fresh);
      this.canvas = fresh;
      this.drawing = new FlatDrawing(fresh);
    }
    document.documentElement.dataset.drawing = this.drawing.name;
  }

  // Pixels of the canvas in one of the screen; without WebGL every one costs time.
  get ratio() {
    return this.drawing instanceof FlatDrawing ? 1 : devicePixelRatio;
  }

  show(width, height) {
    this.width = width;
    this.height = height;
    this.resize();
    this.fit();
  }

  resize() {
    const box = this.root.getBoundingClientRect();
    for (const side of ["width", "height"]) {
      this.canvas[side] = Math.max(1, Math.floor(box[side] * this.ratio));
      // Exactly, or the browser would scale it by a little.
      this.canvas.style[side] = `${this.canvas[side] / this.ratio}px`;
    }
    if (!this.width) return;
    if (this.fitted) this.fit();
    else this.put(this.place);
  }

  get fittingZoom() {
    return Math.min(this.canvas.width / this.width, this.canvas.height / this.height);
  }

  fit() {
    this.put({ x: 0, y: 0, zoom: this.fittingZoom });
    this.fitted = true;
  }

  toggleFit(x, y) {
    if (this.fitted) this.zoomBy(this.ratio / this.place.zoom, x, y);
    else this.fit();
  }

  // Scales about a point of the canvas, by default its middle.
  zoomBy(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const { place } = this, least = Math.min(this.fittingZoom, 1);
    const zoom = clamp(place.zoom * factor, least, MAX_ZOOM * this.ratio), by = zoom / place.zoom;
    this.put({ zoom, x: x - (x - place.x) * by, y: y - (y - place.y) * by });
  }

  // Keeps the picture in sight, and at whole pixels, so that at actual size none is blurred.
  put({ x, y, zoom }) {
    const inside = (at, picture, room) =>
      Math.round(picture <= room ? (room - picture) / 2 : clamp(at, room - picture, 0));
    this.place = {
      zoom,
      x: inside(x, this.width * zoom, this.canvas.width),
      y: inside(y, this.height * zoom, this.canvas.height),
    };
    this.fitted = Math.abs(zoom / this.fittingZoom - 1) < 1e-6;
    byId("zoom-fit").textContent = `${Math.round((100 * zoom) / this.ratio)} %`;
    byId("zoom-fit").setAttribute("aria-label", this.fitted ? "Show at actual size" : "Fit to the window");
    this.on.draw();
  }

  // [x, y] of an event on the canvas.
  onCanvas(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio];
  }

  pick(event, pinned) {
    const [x, y] = this.onCanvas(event), { place } = this;
    const column = Math.floor((x - place.x) / place.zoom), row = Math.floor((y - place.y) / place.zoom);
    if (column >= 0 && row >= 0 && column < this.width && row < this.height)
      this.on.picked(column, row, pinned);
  }

  wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...this.onCanvas(event));
  }

  pointerdown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.onCanvas(event));
    this.travelled = 0;
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId), now = this.onCanvas(event);
    if (!before) return this.pick(event, false);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    this.travelled += Math.hypot(dx, dy);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, now);
    if (other) {
      const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
      this.zoomBy(apart(now) / Math.max(apart(before), 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (this.travelled > DRAGGED) {
      const { place } = this;
      this.put({ ...place, x: place.x + dx, y: place.y + dy });
    }
  }

  pointerup(event) {
    if (this.travelled <= DRAGGED && this.pointers.size === 1) this.pick(event, true);
    this.pointers.delete(event.pointerId);
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
  }

  dblclick(event) {
    this.toggleFit(...this.onCanvas(event));
  }

  listenToDivider() {
    const divider = byId("divider");
    const follow = (event) => {
      const box = this.root.getBoundingClientRect();
      this.on.divided(clamp((event.clientX - box.left) / box.width));
    };
    divider.onpointerdown = (event) => divider.setPointerCapture(event.pointerId);
    divider.onpointermove = (event) => divider.hasPointerCapture(event.pointerId) && follow(event);
    divider.onkeydown = (event) => {
      const step = { ArrowLeft: -0.02, ArrowDown: -0.02, ArrowRight: 0.02, ArrowUp: 0.02, Home: -1, End: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.on.divided(clamp(this.share + step));
    };
  }

  // Draws a frame, and puts divider and cross where they belong.
  draw(frame, share, pixel) {
    this.share = share;
    const { place, ratio } = this;
    this.drawing.draw({ ...frame, place, split: share * this.canvas.width });
    byId("divider").style.left = `${100 * share}%`;
    byId("divider").setAttribute("aria-valuenow", Math.round(100 * share));
    const cross = byId("cross");
    cross.hidden = !pixel;
    if (!pixel) return;
    cross.style.left = `${(place.x + (pixel.x + 0.5) * place.zoom) / ratio}px`;
    cross.style.top = `${(place.y + (pixel.y + 0.5) * place.zoom) / ratio}px`;
    cross.style.width = cross.style.height = `${place.zoom / ratio + 3}px`;
  }
}
