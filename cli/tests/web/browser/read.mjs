// Reads a message on the page as a person would, and prints what there is to see, as JSON. Nothing may complain on the console.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [url, screenshot] = process.argv.slice(2);
const options = {
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
};
const context = await chromium.launchPersistentContext(await mkdtemp(join(tmpdir(), 'okuru-')), options);
const page = await context.newPage();
const complaints = [];
const asked = [];
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
page.on('pageerror', (error) => complaints.push(String(error)));
page.on('request', (request) => asked.push(new URL(request.url()).origin));
page.setDefaultTimeout(20_000);

await page.goto(url);
await page.getByRole('button', { name: 'A letter with everything' }).click();
await page.getByRole('heading', { name: 'A letter with everything' }).waitFor();
const view = page.locator('#view');
const seen = { count: await page.getByRole('status').textContent(), envelope: await page.locator('#envelope').textContent() };
for (const name of ['Text', 'Headers', 'Source', 'Dialogue']) {
  await page.getByRole('tab', { name }).click();
  seen[name.toLowerCase()] = await view.textContent();
}
await page.getByRole('tab', { name: 'HTML' }).click();
const frame = page.frameLocator('iframe');
seen.html = await frame.locator('body').innerText();
seen.scripted = await frame.locator('#scripted').count();
if (screenshot) await page.screenshot({ path: screenshot });
await page.keyboard.press('Tab');
await page.getByRole('tab', { name: 'HTML' }).focus();
await page.keyboard.press('ArrowRight');
await page.keyboard.press('ArrowRight');
seen.byKeyboard = await page.locator('[aria-selected="true"]').textContent();
const download = page.waitForEvent('download');
await page.getByRole('link', { name: 'notes.bin' }).click();
const chunks = [];
for await (const chunk of await (await download).createReadStream()) chunks.push(chunk);
seen.attachment = Buffer.concat(chunks).toString('hex');
await page.setViewportSize({ width: 360, height: 640 });
seen.fitsPhone = await page.evaluate(() => document.documentElement.scrollWidth <= 360);
await page.getByRole('button', { name: 'Forget all' }).click();
await page.getByText('no messages yet').waitFor();
seen.complaints = complaints;
seen.origins = [...new Set(asked)];
console.log(JSON.stringify(seen));
await context.close();
