// Looks at the built site in a real browser, as `make test-browser` does:  node tests/browser/site.js site /usr/bin/chromium
//
// Every page loads without an error and without a request to another host, every diagram is drawn, in light and in dark,
// and the search finds.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { chromium } = require("playwright-core");

const [site, executablePath] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json",
  ".svg": "image/svg+xml", ".png": "image/png" };
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const SEARCHED = { "Retry-After": "layers/retry/", OMIT: "reference/values/", disconnect: "cookbook/fastapi/" };
const IN_DARK = ["", "layers/retry/", "reference/values/"];

// The files of the site, on the loopback.
function serve(folder) {
  const server = http.createServer((request, response) => {
    let file = path.join(folder, decodeURIComponent(new URL(request.url, "http://x").pathname));
    if (file.endsWith(path.sep)) file = path.join(file, "index.html");
    fs.readFile(file, (error, bytes) => {
      response.writeHead(error ? 404 : 200, { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream" });
      response.end(bytes ?? "");
    });
  });
  return new Promise((ready) => server.listen(0, "127.0.0.1", () => ready(server)));
}

const pages = (folder) => fs.readdirSync(folder, { recursive: true }).filter((name) => name.endsWith("index.html")).sort();

async function main() {
  const server = await serve(site);
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const wrong = [];
  let drawn = 0;

  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ colorScheme });
    // Diagrams and the search lie behind shadow roots that are closed: opened, they can be looked into.
    await page.addInitScript(() => {
      const attach = Element.prototype.attachShadow;
      Element.prototype.attachShadow = function (options) {
        return attach.call(this, { ...options, mode: "open" });
      };
    });
    let here = "";
    const note = (what) => wrong.push(`${here} (${colorScheme}): ${what}`);
    page.on("console", (message) => message.type() === "error" && note(message.text()));
    page.on("pageerror", (error) => note(error.message));
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(origin)) note(`asks ${request.url()}`);
    });
    page.on("response", (response) => response.status() >= 400 && note(`${response.status()} ${response.url()}`));

    for (const name of pages(site)) {
      here = name.replaceAll(path.sep, "/").replace(/index\.html$/, "");
      if (colorScheme === "dark" && !IN_DARK.includes(here)) continue;
      const diagrams = fs.readFileSync(path.join(site, name), "utf8").split('<pre class="mermaid">').length - 1;
      await page.goto(`${origin}/${here}`, { waitUntil: "load" });
      for (let at = 0; at < diagrams; at += 1) {
        const box = await page.locator("div.mermaid").nth(at).locator("svg").boundingBox().catch(() => null);
        if (box && box.height > 40) drawn += 1;
        else note(`diagram ${at + 1} of ${diagrams} isn't drawn`);
      }
    }

    for (const [words, found] of Object.entries(SEARCHED)) {
      here = `search for ${words}`;
      await page.goto(`${origin}/`, { waitUntil: "load" });
      await page.keyboard.press("/");
      const dialog = page.getByRole("dialog", { name: "Search" });
      await dialog.getByRole("combobox").fill(words);
      const result = dialog.locator(`a[href*="${found}"]`).first();
      await result.waitFor().catch(() => note(`${found} isn't found`));
    }
    await page.close();
  }

  await browser.close();
  server.close();
  for (const line of wrong) console.error(line);
  console.log(`${pages(site).length} pages, ${drawn} diagrams: ${wrong.length} wrong`);
  process.exitCode = wrong.length || !drawn ? 1 : 0;
}

main();
