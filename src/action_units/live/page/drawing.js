// Boxes over the picture, bars next to it, and the timeline below.

const FACES = ["#56b4e9", "#e69f00", "#2cc49a", "#f0e442", "#cc79a7", "#f0803c"];
const ROW = 34; // of the timeline, in CSS pixels
const FOOT = 22;

export const faceColour = id => FACES[id % FACES.length];

function prepared(canvas, width, height) {
  const dense = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * dense);
  canvas.height = Math.round(height * dense);
  const context = canvas.getContext("2d");
  context.setTransform(dense, 0, 0, dense, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

// Boxes with number, confidence and called AUs; `size` is the picture's own.
export function drawFaces(canvas, shown, size, faces, aus) {
  const outer = canvas.parentElement.getBoundingClientRect();
  const inner = shown.getBoundingClientRect();
  const context = prepared(canvas, outer.width, outer.height);
  if (!size.width || !inner.width) return;
  const scale = Math.min(inner.width / size.width, inner.height / size.height);
  const left = inner.left - outer.left + (inner.width - size.width * scale) / 2;
  const top = inner.top - outer.top + (inner.height - size.height * scale) / 2;
  context.font = "600 13px system-ui, sans-serif";
  context.textBaseline = "middle";
  for (const face of faces) {
    const [x, y, w, h] = face.box.map(value => value * scale);
    context.strokeStyle = "#12161b";
    context.lineWidth = 5;
    context.strokeRect(left + x, top + y, w, h);
    context.strokeStyle = faceColour(face.id);
    context.lineWidth = 3;
    context.strokeRect(left + x, top + y, w, h);
  }
  for (const face of faces) {
    const [x, y, w, h] = face.box.map(value => value * scale);
    const tag = (text, at) => {
      const wide = context.measureText(text).width + 10;
      const tx = Math.max(0, Math.min(left + x - 1, outer.width - wide));
      const ty = Math.max(0, Math.min(at, outer.height - 20));
      context.fillStyle = "rgb(18 22 27 / .78)";
      context.fillRect(tx, ty, wide, 20);
      context.fillStyle = faceColour(face.id);
      context.fillText(text, tx + 5, ty + 10.5);
    };
    tag(`face ${face.id} · ${face.confidence.toFixed(2)}`, top + y - 23);
    const called = face.called
      ? aus.filter((_, index) => face.called[index]).map(au => au.code)
      : ["cannot be used"];
    const lines = [];
    for (const word of called) {
      const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
      const fits = lines.length && context.measureText(longer).width < Math.max(w, 150);
      if (fits) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    const room = outer.height - 20 * lines.length;
    const first = Math.min(top + y + h + 3, room);
    lines.forEach((line, index) => tag(line, first + 20 * index));
  }
}

export function makeBars(list, aus) {
  list.replaceChildren(
    ...aus.map(au => {
      const row = document.createElement("li");
      const name = document.createElement("span");
      const code = document.createElement("b");
      code.textContent = au.code;
      name.append(code, au.name);
      const track = document.createElement("span");
      track.className = "track";
      const [bar, mark] = ["bar", "mark"].map(kind => {
        const part = document.createElement("i");
        part.className = kind;
        return part;
      });
      track.append(bar, mark);
      track.style.setProperty("--t", au.threshold);
      const value = document.createElement("span");
      value.className = "value";
      const intensity = document.createElement("span");
      intensity.className = "value intensity";
      intensity.title = "expected intensity, 0 to 5";
      intensity.textContent = au.intensity ? "–" : "";
      row.append(name, track, value, intensity);
      row.title = `present from ${au.threshold.toFixed(2)} on`;
      return row;
    }),
  );
}

// The bars of one face; without a face they are empty.
export function drawBars(list, face) {
  [...list.children].forEach((row, index) => {
    const p = face?.p?.[index];
    const called = Boolean(face?.called?.[index]);
    row.className = p === undefined ? "nothing" : called ? "present" : "";
    row.children[1].style.setProperty("--p", p ?? 0);
    const text = p === undefined ? "–" : Math.min(Math.max(p, 0.01), 0.99).toFixed(2);
    const intensity = face?.intensity?.[index];
    const strong = typeof intensity === "number";
    row.children[2].textContent = text;
    const estimate = row.children[3];
    if (estimate.textContent) estimate.textContent = strong ? intensity.toFixed(1) : "–";
    row.setAttribute("aria-label", `${row.children[0].textContent} ${text}` +
      `${strong ? `, intensity ${intensity.toFixed(1)} of 5` : ""}${called ? ", present" : ""}`);
  });
}

// The left edge of the timeline's rows, where the names end.
export const timelineLeft = width => (width < 560 ? 52 : 200);

// Each AU of one face from `from` to `to`: the highest probability at each pixel.
// `track` has points in time, of some length each, with p and called.
export function drawTimeline(canvas, track, aus, from, to, unit) {
  const width = canvas.parentElement.getBoundingClientRect().width;
  const height = ROW * aus.length + FOOT;
  canvas.style.height = `${height}px`;
  const context = prepared(canvas, width, height);
  const style = getComputedStyle(document.documentElement);
  const colour = name => style.getPropertyValue(`--${name}`).trim();
  const left = timelineLeft(width);
  const columns = Math.max(1, Math.floor(width - left));
  const column = time => Math.floor(((time - from) / (to - from)) * (columns - 1));
  context.font = "13px system-ui, sans-serif";
  context.textBaseline = "middle";
  const highest = new Float32Array(columns);
  const called = new Uint8Array(columns);
  aus.forEach((au, index) => {
    const top = index * ROW + 3;
    const tall = ROW - 7;
    highest.fill(-1);
    called.fill(0);
    for (const { time, step, p, called: calls } of track.points) {
      if (time < from || time > to) continue;
      const last = Math.min(Math.max(column(time + step), column(time) + 1), columns);
      for (let x = column(time); x < last; x++) {
        highest[x] = Math.max(highest[x], p[index]);
        called[x] |= calls[index];
      }
    }
    context.fillStyle = colour("wash");
    context.fillRect(left, top, columns, tall);
    context.fillStyle = colour("scratch");
    context.globalAlpha = 0.35;
    for (let x = 0; x < columns; x++) if (called[x]) context.fillRect(left + x, top, 1, tall);
    context.globalAlpha = 1;
    context.strokeStyle = colour("ours");
    context.lineWidth = 1.5;
    context.beginPath();
    let down = false;
    for (let x = 0; x < columns; x++) {
      if (highest[x] < 0) { down = false; continue; }
      const y = top + tall - 1 - highest[x] * (tall - 2);
      if (down) context.lineTo(left + x, y);
      else context.moveTo(left + x, y);
      down = true;
    }
    context.stroke();
    context.fillStyle = colour("ink");
    context.textAlign = "right";
    context.fillText(width < 560 ? au.code : `${au.code} ${au.name}`, left - 8, top + tall / 2);
  });
  context.fillStyle = colour("muted");
  const ticks = Math.max(2, Math.min(10, Math.floor(columns / 90)));
  for (let tick = 0; tick <= ticks; tick++) {
    const value = from + ((to - from) * tick) / ticks;
    context.textAlign = tick === ticks ? "right" : tick ? "center" : "left";
    const text = unit === "frame" ? String(Math.round(value)) : `${value.toFixed(1)} s`;
    context.fillText(text, left + (columns * tick) / ticks, height - FOOT / 2 + 2);
  }
}
