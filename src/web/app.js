// The page: a picture goes to one task of the server, and its answer is drawn.
import { Camera } from "./camera.js";
import * as draw from "./draw.js";
import { ask, hasToken, Problem } from "./server.js";

const $ = id => document.getElementById(id);
const form = $("ask");
const camera = new Camera($("video"));
let models = [];
let picture = null; // the bytes that were given last, as a Blob
let pictureName = "picture.jpg";
let pictureURL = "";
let maskURL = "";
let turn = 0; // an answer that comes after a newer request is not shown
let drawn = null; // the reply whose boxes are seen
const PATIENCE_MS = 250; // an answer that takes longer is announced

const task = () => form.elements.task.value;

function show(problem) {
  $("message").hidden = !problem;
  $("message").textContent = problem || "";
}

function query() {
  const q = new URLSearchParams();
  if ($("model").value) q.set("model", $("model").value);
  if ($("threshold").value) q.set("threshold", $("threshold").value);
  return q;
}

function path(extra = {}) {
  const q = query();
  for (const [key, value] of Object.entries(extra)) q.set(key, value);
  return [task(), q.toString()].filter(Boolean).join("?");
}

function curlLine() {
  const url = new URL(path(), document.baseURI), quote = s => `'${s.replaceAll("'", "'\\''")}'`;
  const token = hasToken() ? ` -H ${quote("Authorization: Bearer TOKEN")}` : "";
  const accept = task() === "segment" ? ` -H ${quote("Accept: application/json")}` : "";
  return `curl -F image=@${quote(pictureName)}${accept}${token} ${quote(url.href)}`;
}

const headers = { classify: {}, localize: {}, segment: { Accept: "application/json" } };

function post(blob, extra, wanted) {
  return ask(path(extra), { method: "POST", body: blob, headers: { "Content-Type": blob.type || "application/octet-stream", ...wanted } });
}

// Masks come as base64 in the JSON.
function maskOf(reply) {
  return new Blob([Uint8Array.from(atob(reply.mask), c => c.charCodeAt(0))], { type: "image/png" });
}

function drawBoxes(reply) {
  drawn = reply;
  draw.boxes($("boxes"), reply);
}

function clear() {
  drawBoxes(null);
  $("mask").hidden = $("maskbar").hidden = true;
  $("results").replaceChildren();
  $("timing").textContent = "";
  $("raw").hidden = true;
}

function fill(reply, milliseconds) {
  const kind = task(), inside = Object.entries(reply.time_ms || {}).map(([k, v]) => `${k} ${v.toFixed(1)}`).join(", ");
  const parts = { classify: draw.labels, localize: draw.objects, segment: draw.regions }[kind](reply);
  drawBoxes(kind === "localize" ? reply : null);
  $("results").replaceChildren(...parts);
  const rate = camera.running && camera.rate ? ` · ${camera.rate.toFixed(1)} pictures a second` : "";
  $("timing").textContent = `${reply.model}: ${milliseconds.toFixed(0)} ms (${inside})${rate}`;
  const { mask, ...rest } = reply;
  $("json").textContent = JSON.stringify(mask ? { ...rest, mask: `${mask.length} characters of base64` } : rest, null, 2);
  $("curl").textContent = curlLine();
  $("raw").hidden = false;
}

async function fillMask(reply, mine) {
  await draw.mask($("mask"), maskOf(reply));
  if (mine !== turn) return;
  $("maskbar").hidden = false;
  $("mask").hidden = $("opacity").disabled = $("cut").checked;
  forgetFile();
  if (!camera.running && $("cut").checked) await showCutOut(mine);
}

function forgetFile() {
  URL.revokeObjectURL(maskURL);
  maskURL = "";
  $("download").dataset.file = $("cut").checked ? "cutout.png" : "mask.png";
}

// The PNG of what is seen, as the server gives it: asked for when it is wanted, since it costs another run.
async function fetchFile(mine = turn) {
  const blob = await (await post(picture, $("cut").checked ? { output: "cutout" } : {}, { Accept: "image/png" })).blob();
  if (mine !== turn) return false;
  forgetFile();
  maskURL = URL.createObjectURL(blob);
  return true;
}

// The cut-out takes the picture's place.
async function showCutOut(mine = turn) {
  if (!(await fetchFile(mine))) return;
  $("picture").src = maskURL;
  $("view").classList.add("checks");
  $("mask").hidden = true;
}

function showMask() {
  $("picture").src = pictureURL;
  $("view").classList.remove("checks");
  $("mask").hidden = false;
}

async function save() {
  if (!maskURL && !(await fetchFile())) return;
  const link = document.createElement("a");
  link.href = maskURL;
  link.download = $("download").dataset.file;
  link.click();
}

// Sends the blob and shows the answer; true unless it failed.
async function run(blob) {
  const mine = ++turn, begin = performance.now();
  const wait = camera.running ? 0 : setTimeout(() => $("results").replaceChildren(draw.note("Asking …")), PATIENCE_MS);
  try {
    const reply = await (await post(blob, task() === "segment" ? { output: "index" } : {}, headers[task()])).json();
    if (mine !== turn) return true;
    show("");
    fill(reply, performance.now() - begin);
    if (task() === "segment") await fillMask(reply, mine);
    else $("mask").hidden = $("maskbar").hidden = true;
    return true;
  } catch (e) {
    if (mine !== turn) return true;
    clear();
    show(e instanceof Problem ? e.message : `the page failed: ${e.message}`);
    if (!(e instanceof Problem)) throw e;
    return false;
  } finally {
    clearTimeout(wait);
  }
}

function again() {
  if (picture && !camera.running) run(picture);
}

function stopCamera() {
  camera.stop();
  $("video").hidden = true;
  $("picture").hidden = false;
  $("camera").setAttribute("aria-pressed", "false");
}

function use(blob, name) {
  if (!blob) return;
  if (camera.running) stopCamera();
  picture = blob;
  pictureName = name || `picture.${(blob.type.split("/")[1] || "jpg").replace("jpeg", "jpg")}`;
  URL.revokeObjectURL(pictureURL);
  pictureURL = URL.createObjectURL(blob);
  clear();
  $("view").classList.remove("checks");
  $("picture").src = pictureURL;
  $("picture").alt = `The picture that was sent: ${pictureName}`;
  $("view").hidden = false;
  $("stage").classList.add("full");
  run(blob);
}

async function toggleCamera() {
  if (camera.running) {
    stopCamera();
    $("view").hidden = !picture;
    clear();
    again();
    return;
  }
  try {
    clear();
    await camera.start(blob => {
      picture = blob;
      pictureName = "frame.jpg";
      return run(blob).then(good => good || (stopCamera(), false));
    });
    $("camera").setAttribute("aria-pressed", "true");
    $("video").hidden = false;
    $("picture").hidden = true;
    $("view").hidden = false;
    $("stage").classList.add("full");
    show("");
  } catch (e) {
    show(navigator.mediaDevices ? `the camera cannot be used: ${e.message}` : "browsers give the camera to pages on https or localhost only");
  }
}

function fillModels() {
  const fitting = models.filter(m => m.task === task() && !m.internal && m.state === "ready");
  $("model").replaceChildren(...fitting.map(m => new Option(m.name, m.name, m.default, m.default)));
  if (task() === "localize" && fitting.length > 1) $("model").add(new Option("all", fitting.map(m => m.name).join(",")));
  $("model").disabled = fitting.length === 0;
}

async function start() {
  try {
    models = (await (await ask("models")).json()).models;
    const version = await (await ask("version")).json();
    const ready = models.filter(m => m.state === "ready").length;
    $("status").textContent = `${version.version} · ${ready} of ${models.length} models ready`;
  } catch (e) {
    $("status").textContent = "not ready";
    show(e.message);
    setTimeout(start, 2000); // it loads its models, or is started anew
    return;
  }
  show("");
  $("models").replaceChildren(...models.map(draw.modelRow));
  fillModels();
}

form.addEventListener("submit", e => e.preventDefault());
$("tasks").addEventListener("change", () => { fillModels(); clear(); $("picture").src = pictureURL; $("view").classList.remove("checks"); again(); });
for (const id of ["model", "threshold"]) $(id).addEventListener("change", again);
$("file").addEventListener("change", () => { use($("file").files[0], $("file").files[0]?.name); $("file").value = ""; });
$("camera").addEventListener("click", toggleCamera);
$("picture").addEventListener("error", () => { $("view").hidden = !camera.running; }); // the answer says what is wrong with it
$("opacity").addEventListener("input", () => { $("mask").style.opacity = $("opacity").value / 100; });
$("mask").style.opacity = $("opacity").value / 100;
$("cut").addEventListener("change", () => {
  forgetFile();
  $("opacity").disabled = $("cut").checked;
  if ($("cut").checked) showCutOut().catch(e => show(e.message));
  else showMask();
});
$("download").addEventListener("click", () => save().catch(e => show(e.message)));
$("drop").addEventListener("click", () => $("file").click());
$("drop").addEventListener("keydown", e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); $("file").click(); } });
document.addEventListener("dragover", e => { e.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
document.addEventListener("drop", e => { e.preventDefault(); $("drop").classList.remove("over"); use(e.dataTransfer.files[0], e.dataTransfer.files[0]?.name); });
document.addEventListener("paste", e => { const f = [...e.clipboardData.files].find(f => f.type.startsWith("image/")); if (f) use(f, f.name); });
document.addEventListener("click", async e => {
  const what = e.target.dataset?.copy;
  if (!what) return;
  await navigator.clipboard?.writeText($(what).textContent);
  e.target.textContent = "Copied";
  setTimeout(() => { e.target.textContent = "Copy"; }, 1500);
});
new ResizeObserver(() => draw.boxes($("boxes"), drawn)).observe($("view"));
start();
