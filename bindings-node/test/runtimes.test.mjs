// Deno, Bun, Workers and a browser, against Postfix and okuru's own sink, as they install the packages.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { start } from './support/servers.mjs'

const workspace = fileURLToPath(new URL('../..', import.meta.url))
const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const cargo = process.env.CARGO ?? 'cargo'
const folder = mkdtempSync(join(tmpdir(), 'okuru-runtimes-'))
const vectors = join(folder, 'vectors.json')
let servers
let count

before(async () => {
  const json = execFileSync(cargo, ['run', '--locked', '--quiet', '-p', 'okuru-tests', '--bin', 'vectors-json'], { cwd: workspace, maxBuffer: 1 << 30 })
  writeFileSync(vectors, json)
  count = JSON.parse(json).length
  servers = await start('postfix', 'dovecot')
})
after(async () => {
  await servers.stop()
  rmSync(folder, { recursive: true, force: true })
})

const tool = (name) => here(`../node_modules/.bin/${name}`)
const expected = () => ({
  starttls: 'accepted',
  mechanisms: ['SCRAM-SHA-256'],
  implicit: 'accepted',
  untrusted: 'tls.certificate',
  many: 500,
  stream: 'accepted',
  bytes: 'accepted',
  refused: 'connect.refused',
  dialogues: count,
})

for (const [name, program, options] of [
  ['Deno', 'deno', ['run', '--allow-all', '--no-lock', '--node-modules-dir=manual']],
  ['Bun', 'bun', []],
]) {
  test(`${name} sends mail, and runs every dialogue`, async () => {
    const { submission, submissions, mx } = servers.postfix.ports
    const [{ name: user, password }] = servers.users
    const told = { submission, submissions, mx, ca: servers.tls.ca, user, password, vectors }
    const { stdout } = await promisify(execFile)(tool(program), [...options, here('runtimes/client.mjs'), JSON.stringify(told)], { timeout: 120_000 })
    assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1)), expected())
  })
}

async function bundle(entry, conditions, file) {
  const path = { name: 'module', setup: (build) => build.onResolve({ filter: /okuru\.wasm$/ }, () => ({ path: './okuru.wasm', external: true })) }
  await build({
    entryPoints: [here(entry)],
    outfile: join(folder, file),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions,
    external: ['cloudflare:*'],
    plugins: [path],
    logLevel: 'error',
  })
  copyFileSync(here('../node_modules/okuru-wasm/dist/okuru.wasm'), join(folder, 'okuru.wasm'))
}

async function freePort() {
  const server = createTcp().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** okuru's own sink, with a certificate by the authority in `ca`. */
async function startSink(user, password) {
  const sink = spawn(cargo, ['run', '--locked', '--quiet', '-p', 'okuru-cli', '--', 'sink', '--listen', '127.0.0.1:0', '--tls', 'starttls', '--user', `${user}:${password}`], {
    cwd: workspace,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface(sink.stdout)[Symbol.asyncIterator]()
  let [port, ca] = []
  while (port === undefined || ca === undefined) {
    const { value } = await lines.next()
    port ??= /smtp:\/\/[^ ]*:(\d+)/.exec(value)?.[1]
    ca ??= /authority in (.*)$/.exec(value)?.[1]
  }
  return { port, ca, stop: () => sink.kill('SIGTERM') }
}

test('a Worker sends over STARTTLS with SCRAM to Postfix and to a sink, and runs every dialogue', async (t) => {
  await bundle('runtimes/worker.mjs', ['workerd'], 'worker.mjs')
  const [{ name: user, password }] = servers.users
  const sink = await startSink(user, password)
  t.after(sink.stop)
  const port = await freePort()
  const pem = [servers.tls.ca, sink.ca].map((file) => readFileSync(file, 'utf8'))
  for (const [index, text] of pem.entries()) writeFileSync(join(folder, `ca${index}.pem`), text)
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "loopback", network = (allow = ["public", "private"],
      tlsOptions = (trustBrowserCas = false, trustedCertificates = [embed "ca0.pem", embed "ca1.pem"]))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.mjs", esModule = embed "worker.mjs"), (name = "okuru.wasm", wasm = embed "okuru.wasm")],
  compatibilityDate = "2026-01-01",
  globalOutbound = "loopback",
);
`
  writeFileSync(join(folder, 'config.capnp'), config)
  const worker = spawn(tool('workerd'), ['serve', join(folder, 'config.capnp')], { stdio: 'inherit' })
  t.after(() => worker.kill())
  const post = async (path, body) => {
    for (let tries = 0; ; tries++) {
      try {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body })
        const text = await response.text()
        assert.equal(response.status, 200, text)
        return JSON.parse(text)
      } catch (error) {
        if (tries > 100 || error instanceof assert.AssertionError) throw error
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }
  const { submission, mx } = servers.postfix.ports
  const told = { servers: [`smtp://localhost:${submission}`, `smtp://localhost:${sink.port}`], mx: `smtp://127.0.0.1:${mx}`, user, password }
  assert.deepEqual(await post('/send', JSON.stringify(told)), {
    sent: ['accepted', 'accepted'],
    mechanisms: ['SCRAM-SHA-256', 'SCRAM-SHA-256'],
    // Why a handshake failed, workerd keeps to itself.
    wrongName: 'tls.handshake',
    many: 200,
    stream: 'accepted',
  })
  assert.deepEqual(await post('/vectors', readFileSync(vectors)), { dialogues: count })
})

test('Chromium sends through a proxy, and runs every dialogue', async (t) => {
  await bundle('runtimes/page.mjs', ['browser'], 'page.mjs')
  const [{ name: user, password }] = servers.users
  const place = `localhost:${servers.postfix.ports.submission}`
  const proxy = spawn(process.execPath, [here('../docs/web-socket-proxy.mjs'), place], {
    env: { ...process.env, PORT: '0', NODE_EXTRA_CA_CERTS: servers.tls.ca },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => proxy.kill())
  const [url] = await once(createInterface(proxy.stdout), 'line')
  let tell
  const said = new Promise((resolve) => {
    tell = resolve
  })
  const files = { '/page.mjs': ['text/javascript', 'page.mjs'], '/okuru.wasm': ['application/wasm', 'okuru.wasm'], '/vectors': ['application/json', 'vectors.json'] }
  const site = createServer(async (request, response) => {
    if (request.url === '/said') {
      tell(JSON.parse(Buffer.concat(await request.toArray()).toString()))
      return response.end()
    }
    if (request.url === '/settings') return response.end(JSON.stringify({ proxy: url, server: `smtp://${place}`, user, password }))
    const [type, file] = files[request.url] ?? []
    response.setHeader('content-type', type ?? 'text/html')
    response.end(file === undefined ? '<script type="module" src="/page.mjs"></script>' : readFileSync(join(folder, file)))
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  t.after(() => site.close())
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  const browser = spawn(process.env.CHROMIUM ?? 'chromium', [...flags, `--user-data-dir=${join(folder, 'profile')}`, '--remote-debugging-port=0', `http://127.0.0.1:${site.address().port}/`], { stdio: 'ignore' })
  t.after(async () => {
    browser.kill()
    await once(browser, 'exit')
  })
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('the page has said nothing')), 90_000).unref())
  assert.deepEqual(await Promise.race([said, late]), { dialogues: count, withoutProxy: 'connect.failed', sent: 'accepted' })
})
