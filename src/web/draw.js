// Answers as elements: bars, boxes over the picture, masks.
const HUES = [145, 25, 265, 200, 330, 55, 300, 95, 230, 0];
export const colour = (i, alpha = 1) => `hsl(${HUES[i % HUES.length]} 75% 50% / ${alpha})`;

function element(name, text, attributes = {}) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
}

const percent = score => `${(100 * score).toFixed(1)} %`;

export const note = text => element("p", text);

// pairs: [[label, score], ...]
export function bars(pairs, small) {
  const list = element("ul", undefined, { class: small ? "bars small" : "bars" });
  for (const [label, score] of pairs) {
    const item = element("li"), bar = element("i");
    bar.style.width = `${Math.max(0, Math.min(1, score)) * 100}%`;
    item.append(bar, element("span", label), element("span", percent(score)));
    list.append(item);
  }
  return list;
}

export function labels(reply) {
  const parts = [bars(reply.labels.map(l => [l.label, l.score]))];
  if (reply.unknown) parts.unshift(note("Unknown: the picture is like none of the classes."));
  if (!reply.labels.length && !reply.unknown) parts.push(note("No label reaches the least score."));
  return parts;
}

// What further steps of a pipeline said: members NAME with an object NAMEs of scores beside them.
function facts(object) {
  return Object.keys(object).filter(key => typeof object[key] === "string" && object[`${key}s`] && key !== "label")
    .map(key => ({ key, best: object[key], scores: Object.entries(object[`${key}s`]).sort((a, b) => b[1] - a[1]) }));
}

export function objects(reply) {
  if (!reply.objects.length) return [note("Nothing was found.")];
  return reply.objects.flatMap((o, i) => {
    const line = element("p", undefined, { class: "object" }), dot = element("b");
    dot.style.background = colour(i);
    line.append(dot, element("span", `${o.label} ${percent(o.score)}`), element("small", `x ${o.x}, y ${o.y}, ${o.w} × ${o.h}`));
    return [line, ...facts(o).map(f => bars(f.scores, true))];
  });
}

export function regions(reply) {
  if (!reply.labels.length) return [note("Nothing was found.")];
  return reply.labels.map(l => {
    const line = element("p", undefined, { class: "object" }), dot = element("b");
    dot.style.background = colour(l.index - 1);
    const share = percent(l.pixels / (reply.width * reply.height)), n = l.regions.length;
    line.append(dot, element("span", l.label), element("small", `${share} of the picture, ${n} region${n === 1 ? "" : "s"}`));
    return line;
  });
}

const SVG = "http://www.w3.org/2000/svg";
const LETTERS = 13; // pixels on the screen, whatever the picture's size

function shape(name, attributes) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
}

export function boxes(svg, reply) {
  svg.replaceChildren();
  if (!reply) return;
  const size = LETTERS * reply.width / (svg.clientWidth || reply.width); // in pixels of the picture
  svg.setAttribute("viewBox", `0 0 ${reply.width} ${reply.height}`);
  for (const [i, o] of reply.objects.entries()) {
    svg.append(shape("rect", { x: o.x, y: o.y, width: o.w, height: o.h, stroke: colour(i) }));
    for (const [x, y] of o.landmarks || [])
      svg.append(shape("circle", { cx: x, cy: y, r: size / 8, fill: colour(i) }));
    const text = shape("text", { x: o.x + size / 4, y: Math.max(o.y - size / 3, size), "font-size": size, "stroke-width": size / 6 });
    text.textContent = [`${o.label} ${Math.round(o.score * 100)} %`, ...facts(o).map(f => f.best)].join(" · ");
    svg.append(text);
  }
}

// Paints a picture whose grey values are classes; class 0 stays clear.
export async function mask(canvas, png) {
  const picture = await createImageBitmap(png, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height), data = pixels.data;
  const palette = Array.from({ length: 256 }, (_, i) => rgb(i - 1));
  for (let at = 0; at < data.length; at += 4) {
    const index = data[at];
    if (index) data.set(palette[index], at);
    data[at + 3] = index ? 255 : 0;
  }
  context.putImageData(pixels, 0, 0);
}

function rgb(i) {
  if (i < 0) return [0, 0, 0];
  const hue = HUES[i % HUES.length], f = n => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.5 - 0.375 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [f(0), f(8), f(4)];
}

export function modelRow(m) {
  const row = element("tr", undefined, { role: "row" }), input = m.input ? `${m.input.width} × ${m.input.height}` : "";
  const accuracy = (m.accuracy || []).slice(0, 2).map(a => `${a.metric}: ${a.value}`).join("; ");
  const state = m.state + (m.failure ? `: ${m.failure}` : m.default ? ", default" : m.internal ? ", internal" : "");
  const cells = { Task: m.task || "", Input: input, Licence: m.license || "", Accuracy: accuracy, State: state };
  row.append(element("th", m.name, { scope: "row", role: "rowheader" }));
  for (const [column, text] of Object.entries(cells)) row.append(element("td", text, { role: "cell", "data-column": column }));
  row.lastChild.classList.toggle("failed", m.state === "failed");
  return row;
}
