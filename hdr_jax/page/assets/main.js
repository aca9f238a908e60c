// What the page shows, and what changes it.

const dataOf = (id) => JSON.parse(byId(id).textContent);
const EXPOSURES = [-6, -4, -2, 0, 2, 4, 6]; // of a map without a stack, by the camera

class Page {
  constructor() {
    this.about = dataOf("about");
    this.count = this.about.scenes.length;
    this.state = { tone: REINHARD, stops: 0, exposure: null, share: 0.5, clipping: false, visibility: false, match: true, pixel: null, pinned: false };
    byId("notes").append(...this.about.notes.map((note) => element("p", {}, note)));
    this.listen();
  }

  async open(index) {
    this.index = index;
    const scene = dataOf(`scene-${index}`);
    scene.rasters = await Promise.all(scene.maps.map(radianceRaster));
    scene.pictures = await Promise.all(scene.stacks.map((stack) => Promise.all(stack.map(pictureRaster))));
    scene.seen = scene.visibility && (await pictureRaster(scene.visibility));
    if (this.index !== index) return; // another was chosen meanwhile
    const [{ width, height }] = scene.rasters;
    this.stage ??= new Stage(this.handlers(), Math.max(width, height));
    this.stage.drawing.clear();
    this.scene = scene;
    Object.assign(this.state, { exposure: null, pinned: false, pixel: { x: width >> 1, y: height >> 1 } });
    this.fill();
    byId("stage").style.setProperty("--aspect", width / height);
    this.stage.show(width, height);
    this.update({});
    document.documentElement.dataset.scene = scene.name;
  }

  handlers() {
    return {
      draw: () => this.update({}),
      divided: (share) => this.update({ share }),
      picked: (x, y, pin) => {
        const { pinned, pixel } = this.state;
        if (pinned && !pin) return;
        const again = pinned && pin && pixel.x === x && pixel.y === y;
        this.update({ pixel: { x, y }, pinned: pin && !again });
      },
    };
  }

  // Everything that depends on the scene alone.
  fill() {
    const { maps, seen, curves, scores, rasters, size } = this.scene, two = maps.length > 1;
    const [{ width, height }] = rasters;
    const pixels = size ? `${size[1]} x ${size[0]}, shown at ${width} x ${height}` : `${width} x ${height}`;
    byId("subject").textContent = `${maps.map(({ label }) => label).join(" and ")}: ${pixels} pixels, ${(maps[0].high - maps[0].low).toFixed(1)} stops`;
    byId("tag-a").textContent = two ? `A: ${maps[0].label}` : "";
    byId("tag-b").textContent = two ? `B: ${maps[1].label}` : "";
    byId("match-line").hidden = !two;
    byId("match-text").textContent = two ? `(\u00d7 ${shown(maps[1].match)})` : "";
    byId("visibility-line").hidden = !seen;
    byId("seen-ramp").style.background = cssRamp(SEEN);
    byId("seen-ramp").title = "nobody to everybody sees it";
    this.modes = fillTones(maps.length, (tone) => this.update({ tone, exposure: null }));
    if (!this.modes.includes(this.state.tone)) this.state.tone = CAMERA;
    const black = Math.log2(maps[0].median / maps[0].logMean) + Math.log2(KEY);
    // As far as the darkest thing becomes white, and the brightest grey, and as the strip goes.
    const least = Math.min(EXPOSURES[0], -Math.ceil(maps[0].high + black) - 2);
    const most = Math.max(EXPOSURES.at(-1), Math.ceil(-maps[0].low - black) + 1);
    Object.assign(byId("stops"), { min: least, max: most });
    this.state.stops = clamp(this.state.stops, least, most);
    this.fillExposures();
    drawCurves(curves);
    fillScores(scores, this.about.summary);
  }

  fillExposures() {
    const { pictures, maps, rasters, ev, stackLabels } = this.scene, plain = { mode: EXPOSURE, gains: [1, 1] };
    this.exposures = pictures.length
      ? ev.map((ev, i) => ({ ev, pictures: pictures.map((stack) => thumbnail(stack[i], plain)) }))
      : EXPOSURES.map((ev) => {
          const tone = toneOf(CAMERA, ev, maps, this.state.match), { gains } = tone;
          const of = (raster, i) => thumbnail(raster, { ...tone, gains: [gains[i]] });
          return { ev, pictures: rasters.slice(0, 1).map(of) };
        });
    this.buttons = fillStrip(this.exposures, pictures.length ? stackLabels : [], (i) =>
      pictures.length ? this.update({ exposure: this.state.exposure === i ? null : i })
        : this.setStops(EXPOSURES[i], CAMERA));
  }

  // Levels of a pixel in every exposure.
  levels({ x, y }) {
    const { pictures, rasters, maps } = this.scene;
    const of = (ev, i) =>
      pictures.length
        ? pictures.map((stack) => stack[i].at(x, y).map((v) => Math.round(255 * v)))
        : rasters.map((raster, j) => cameraLevels(raster.at(x, y).map((v) => v * this.factor(j)), ev, maps[0]));
    return this.exposures.map(({ ev }, i) => ({ ev, levels: of(ev, i) }));
  }

  factor(j) {
    return (this.state.match && this.scene.maps[j].match) || 1;
  }

  setStops(stops, tone = this.state.tone) {
    const { min, max } = byId("stops");
    this.update({ stops: clamp(stops, Number(min), Number(max)), exposure: null, tone });
  }

  // Changes the state; what follows from it is drawn once, before the next frame.
  update(changes) {
    Object.assign(this.state, changes);
    if (!this.scene || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const { scene, state } = this, { maps, rasters, pictures, seen } = scene;
    const picture = state.exposure !== null;
    const tone = toneOf(picture ? EXPOSURE : state.tone, state.stops, maps, state.match);
    if (picture) tone.gains = [1, 1];
    const [left, right = left] = picture ? pictures.map((stack) => stack[state.exposure]) : rasters;
    const clipping = state.clipping && !RAMPS[tone.mode];
    const share = maps.length > 1 ? state.share : 1;
    this.stage.draw({ left, right, tone, clipping, seen: state.visibility ? seen : null }, share, state.pixel);
    this.show(picture);
  }

  // The controls as the state has them.
  show(picture) {
    const { scene, state } = this;
    byId("divider").hidden = scene.maps.length < 2 || (!picture && state.tone === DIFFERENCE);
    byId("stops").value = state.stops;
    byId("stops-text").textContent = `${signed(state.stops)} stops`;
    byId("stops").setAttribute("aria-valuetext", byId("stops-text").textContent);
    for (const input of document.getElementsByName("tone")) input.checked = !picture && Number(input.value) === state.tone;
    for (const name of ["clipping", "visibility", "match"]) byId(name).checked = state[name];
    const chosen = scene.pictures.length ? state.exposure : state.tone === CAMERA ? EXPOSURES.indexOf(state.stops) : -1;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === chosen));
    drawHistogram(scene.maps[0], state.stops);
    drawRamp(picture ? EXPOSURE : state.tone, scene.maps[0]);
    byId("readout").replaceChildren(...readout(state.pixel, scene, state.match, this.levels(state.pixel), chosen));
  }

  listen() {
    byId("stops").oninput = ({ target }) => this.setStops(Number(target.value));
    byId("metered").onclick = () => this.setStops(0);
    for (const button of document.querySelectorAll("[data-stops]"))
      button.onclick = () => this.setStops(this.state.stops + Number(button.dataset.stops));
    for (const name of ["clipping", "visibility", "match"])
      byId(name).onchange = ({ target }) => this.update({ [name]: target.checked });
    const choice = byId("scene");
    choice.append(...this.about.scenes.map((name, i) => element("option", { value: i }, name)));
    choice.onchange = () => this.go(choice.selectedIndex);
    byId("previous").onclick = () => this.go(this.index - 1);
    byId("next").onclick = () => this.go(this.index + 1);
    byId("scenes").hidden = this.count < 2;
    addEventListener("keydown", (event) => this.key(event));
  }

  go(index) {
    const there = (index + this.count) % this.count;
    byId("scene").selectedIndex = there;
    return this.open(there);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.scene) return;
    if (event.target.matches?.("select, input[type=text]")) return;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (move && event.target === this.stage.canvas) this.step(...move.map((d) => d * (event.shiftKey ? 10 : 1)));
    else if (this.keys[event.key]) this.keys[event.key]();
    else return;
    event.preventDefault();
  }

  step(dx, dy) {
    const [{ width, height }] = this.scene.rasters, { x, y } = this.state.pixel;
    const pixel = { x: clamp(x + dx, 0, width - 1), y: clamp(y + dy, 0, height - 1) };
    this.update({ pixel, pinned: true });
    byId("spoken").textContent = spoken(pixel, this.scene);
  }

  get keys() {
    const { state, stage } = this;
    const alone = (share) => () => this.update({ share });
    const toggle = (name) => () => this.update({ [name]: !state[name] });
    return {
      "[": () => this.setStops(state.stops - 0.25),
      "]": () => this.setStops(state.stops + 0.25),
      m: () => this.setStops(0),
      t: () => this.update({ tone: this.modes[(this.modes.indexOf(state.tone) + 1) % this.modes.length], exposure: null }),
      c: toggle("clipping"),
      v: toggle("visibility"),
      a: alone(1),
      b: alone(0),
      d: alone(0.5),
      "+": () => stage.zoomBy(KEY_ZOOM),
      "=": () => stage.zoomBy(KEY_ZOOM),
      "-": () => stage.zoomBy(1 / KEY_ZOOM),
      f: () => stage.toggleFit(),
      n: () => this.go(this.index + 1),
      p: () => this.go(this.index - 1),
      Escape: () => this.update({ pinned: false }),
    };
  }
}

function failed(error) {
  const box = byId("trouble");
  box.hidden = false;
  box.textContent = `This browser cannot show the page: ${error.message ?? error}. It needs Chrome 80, Firefox 113, Safari 16.4 or a later one.`;
}

addEventListener("unhandledrejection", ({ reason }) => failed(reason));
addEventListener("error", ({ error, message }) => failed(error ?? message));
new Page().open(0);
