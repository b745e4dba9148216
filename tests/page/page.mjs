// The page in a real browser, against the real server: node page.mjs BINARY MODELS PHOTOS OUT
// OUT receives screenshots to look at. Ends with 1 after the first thing that is not as it should be.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(join(process.cwd(), ".build/page/"))("playwright-core");
const [binary, models, photos, out] = process.argv.slice(2);
const TOKEN = "a-token-for-the-page";

function serve(...more) {
  const child = spawn(binary, ["serve", "--listen", "127.0.0.1:0", "--models", models, ...more], { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((resolve, reject) => {
    let text = "";
    child.on("exit", code => reject(new Error(`the server ended with ${code}: ${text}`)));
    child.stdout.on("data", data => {
      text += data;
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(text);
      if (address) resolve({ child, address: address[0] });
    });
  });
}

// Whatever a page must not do is written down here.
const faults = [];
let expected = []; // patterns of console errors that belong to a test

async function open(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ["camera"], ...options });
  const page = await context.newPage();
  page.on("console", m => {
    if (m.type() === "error" && !expected.some(p => p.test(m.text()))) faults.push(`console: ${m.text()}`);
  });
  page.on("pageerror", e => faults.push(`script: ${e.message}`));
  page.on("request", r => {
    if (!/^(blob|data):/.test(r.url()) && !r.url().startsWith(address)) faults.push(`another host: ${r.url()}`);
  });
  await page.goto(address);
  await page.waitForFunction(() => /models ready$/.test(document.getElementById("status").textContent));
  return page;
}

const ask = async (address, path, file) =>
  (await fetch(`${address}/${path}`, { method: "POST", body: readFileSync(file), headers: { Accept: "application/json" } })).json();

async function choose(page, task, file) {
  await page.check(`input[value=${task}]`);
  await page.setInputFiles("#file", file);
  await page.waitForFunction(() => document.getElementById("timing").textContent || !document.getElementById("message").hidden);
}

async function labels(page, address) {
  const file = join(photos, "chelsea.png"), reply = await ask(address, "classify", file);
  await choose(page, "classify", file);
  const rows = await page.locator("#results .bars li").allInnerTexts();
  assert.equal(rows.length, 5);
  assert.ok(rows[0].startsWith(reply.labels[0].label), rows[0]);
  assert.ok(rows[0].includes((100 * reply.labels[0].score).toFixed(1)), rows[0]);
  await page.click("summary");
  assert.equal(JSON.parse(await page.innerText("#json")).labels[0].label, reply.labels[0].label);
  assert.match(await page.innerText("#curl"), /^curl -F image=@'chelsea.png' 'http:\/\/127\.0\.0\.1:\d+\/classify\?model=/);
  await page.screenshot({ path: join(out, "classify.png"), fullPage: true });
}

// The drawn box stands where the reply says, in pixels of the shown picture.
async function boxes(page, address) {
  const file = join(photos, "astronaut.png"), reply = await ask(address, "localize", file);
  assert.ok(reply.objects.length > 0);
  await choose(page, "localize", file);
  const shown = await page.locator("#picture").boundingBox(), drawn = await page.locator("#boxes rect").first().boundingBox();
  const scale = shown.width / reply.width, o = reply.objects[0], stroke = 2;
  for (const [a, b] of [[drawn.x - shown.x, o.x * scale], [drawn.y - shown.y, o.y * scale], [drawn.width, o.w * scale], [drawn.height, o.h * scale]])
    assert.ok(Math.abs(a - b) <= stroke, `a box at ${JSON.stringify(drawn)}, the picture at ${JSON.stringify(shown)}, reply ${JSON.stringify(o)}`);
  if (o.emotions) {
    assert.equal(await page.locator("#results .bars.small").first().locator("li").count(), 8);
    assert.equal(await page.locator("#boxes text").first().textContent(), `face ${Math.round(100 * o.score)} % · ${o.emotion}`);
  }
  await page.screenshot({ path: join(out, "localize.png"), fullPage: true });
}

async function masks(page, address) {
  const file = join(photos, "astronaut.png"), reply = await ask(address, "segment", file);
  await choose(page, "segment", file);
  await page.locator("#maskbar").waitFor();
  const painted = await page.evaluate(() => {
    const c = document.getElementById("mask"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    let n = 0;
    for (let i = 3; i < d.length; i += 4) n += d[i] > 0;
    return { n, width: c.width, height: c.height };
  });
  assert.deepEqual(painted, { n: reply.labels.reduce((sum, l) => sum + l.pixels, 0), width: reply.width, height: reply.height });
  await page.screenshot({ path: join(out, "segment.png"), fullPage: true });
  const saved = page.waitForEvent("download");
  await page.click("#download");
  assert.equal((await saved).suggestedFilename(), "mask.png");
  const plain = readFileSync(await (await saved).path());
  assert.equal(plain[25], 3, "a mask is indexed");
  await page.check("#cut");
  await page.waitForFunction(() => document.getElementById("view").classList.contains("checks"));
  const download = page.waitForEvent("download");
  await page.click("#download");
  assert.equal((await download).suggestedFilename(), "cutout.png");
  const cut = readFileSync(await (await download).path());
  assert.equal(cut.subarray(1, 4).toString(), "PNG");
  assert.equal(cut[25], 6, "a cut-out is RGBA");
  await page.screenshot({ path: join(out, "cutout.png"), fullPage: true });
}

async function errors(page, folder) {
  const file = join(folder, "not-a-picture.png");
  writeFileSync(file, "this is text");
  expected = [/415|422/];
  await choose(page, "classify", file);
  expected = [];
  assert.ok(await page.locator("#message").isVisible());
  assert.match(await page.innerText("#message"), /JPEG/);
  assert.equal(await page.locator("#results li").count(), 0);
  assert.equal(await page.locator("#view").isVisible(), false, "what is no picture is not shown as a broken one");
  await page.screenshot({ path: join(out, "error.png"), fullPage: true });
}

// Chromium's own test picture is the camera.
async function camera(page) {
  await page.check("input[value=classify]");
  await page.click("#camera");
  await page.waitForFunction(() => /\d pictures a second/.test(document.getElementById("timing").textContent));
  assert.equal(await page.getAttribute("#camera", "aria-pressed"), "true");
  await page.screenshot({ path: join(out, "camera.png") });
  await page.click("#camera");
  assert.equal(await page.locator("#video").isVisible(), false);
}

async function keyboard(page) {
  await page.focus("input[name=task]:checked");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.value), "localize");
  const chooser = page.waitForEvent("filechooser");
  await page.focus("#drop");
  await page.keyboard.press("Enter");
  await (await chooser).setFiles(join(photos, "coffee.png"));
  await page.waitForFunction(() => document.getElementById("timing").textContent);
}

// A dropped and a pasted picture come the same way as a chosen one.
async function drop(page) {
  const bytes = [...readFileSync(join(photos, "coffee.png"))];
  await page.check("input[value=classify]");
  for (const kind of ["drop", "paste"]) {
    await page.evaluate(([data, kind]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(data)], `${kind}ed.png`, { type: "image/png" }));
      document.dispatchEvent(kind === "drop" ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
    }, [bytes, kind]);
    await page.waitForFunction(name => document.getElementById("picture").alt.endsWith(name) && document.getElementById("timing").textContent, `${kind}ed.png`);
    assert.match(await page.locator("#results li").first().innerText(), /espresso/);
  }
}

async function narrow(browser, address) {
  for (const [scheme, task] of [["dark", "classify"], ["light", "localize"]]) {
    const page = await open(browser, address, { viewport: { width: 375, height: 740 }, colorScheme: scheme });
    await choose(page, task, join(photos, "astronaut.png"));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 375, `${wide} pixels wide on a phone of 375`);
    if (task === "localize") assert.ok((await page.locator("#boxes text").first().boundingBox()).height >= 12, "letters too small to read");
    await page.screenshot({ path: join(out, `phone-${scheme}.png`), fullPage: true });
    await page.context().close();
  }
}

async function token(browser, folder) {
  const file = join(folder, "token");
  writeFileSync(file, TOKEN);
  const server = await serve("--token-file", file);
  try {
    expected = [/401/];
    const context = await browser.newContext(), page = await context.newPage();
    await page.goto(server.address);
    await page.fill("#token", "not-this-token");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /wrong/.test(document.getElementById("asks").textContent) && document.getElementById("login").open);
    await page.fill("#token", TOKEN);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => /models ready$/.test(document.getElementById("status").textContent));
    await choose(page, "classify", join(photos, "chelsea.png"));
    assert.match(await page.locator("#results li").first().innerText(), /cat/);
    await context.close();
  } finally {
    expected = [];
    server.child.kill();
  }
}

const folder = mkdtempSync(join(tmpdir(), "gharial-page-"));
const server = await serve();
for (let i = 0; i < 300 && !(await fetch(`${server.address}/readyz`)).ok; i++) await new Promise(r => setTimeout(r, 100));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
});
const tasks = new Set((await (await fetch(`${server.address}/models`)).json()).models.filter(m => m.state === "ready" && m.default).map(m => m.task));
const tests = { labels, boxes, masks, errors, camera, keyboard, drop };
const needs = { boxes: "localize", keyboard: "localize", masks: "segment" };
let failed = 0;
try {
  const page = await open(browser, server.address);
  for (const [name, test] of Object.entries(tests)) {
    if (needs[name]) assert.ok(tasks.has(needs[name]), `no model serves ${needs[name]}`);
    await test(page, name === "errors" ? folder : server.address);
    console.log(`page: ${name}`);
  }
  await narrow(browser, server.address);
  await token(browser, folder);
  console.log("page: phone, token");
  assert.deepEqual(faults, []);
} catch (e) {
  failed = 1;
  console.error(e, faults);
} finally {
  await browser.close();
  server.child.removeAllListeners("exit");
  server.child.kill();
  rmSync(folder, { recursive: true });
}
process.exit(failed);
