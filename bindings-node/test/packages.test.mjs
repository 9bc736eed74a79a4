// The packages as npm has them: by import and by require, with the addon and, when that is not there, with WebAssembly.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { start } from './support/servers.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const run = promisify(execFile)

const BODY = `
  const message = { raw: 'Subject: hello\\r\\n\\r\\nHello\\r\\n', from: 'a@example.test', to: 'discard@example.test' }
  const client = new Client({ server: process.env.SERVER, tls: 'none' })
  const { status } = await client.send(message)
  // The client is idle now, and is not closed: this process ends all the same.
  console.log(engine(), status)
`

test('installed from what is packed', async (t) => {
  const servers = await start('postfix')
  const folder = mkdtempSync(join(tmpdir(), 'okuru-packages-'))
  t.after(async () => {
    rmSync(folder, { recursive: true })
    await servers.stop()
  })
  execFileSync(process.execPath, [here('../scripts/pack.mjs')], { stdio: 'ignore' })
  const packed = here('../../target/npm')
  const archives = readdirSync(packed)
  const addon = `okuru-${process.platform}-${process.arch}-gnu`
  assert.deepEqual(archives.sort(), ['okuru-0.1.0.tgz', `${addon}-0.1.0.tgz`, 'okuru-wasm-0.1.0.tgz'])
  for (const archive of archives) {
    const place = join(folder, 'node_modules', archive.replace(/-0\.1\.0\.tgz$/, ''))
    mkdirSync(place, { recursive: true })
    execFileSync('tar', ['-xzf', join(packed, archive), '-C', place, '--strip-components=1'])
  }
  writeFileSync(join(folder, 'esm.mjs'), `import { Client, engine } from 'okuru'\n${BODY}`)
  writeFileSync(join(folder, 'cjs.cjs'), `const { Client, engine } = require('okuru')\n;(async () => {${BODY}})()\n`)
  const env = { ...process.env, SERVER: `smtp://127.0.0.1:${servers.postfix.ports.mx}` }
  delete env.OKURU_ENGINE
  const says = async (file) => (await run(process.execPath, [join(folder, file)], { env, timeout: 20_000 })).stdout
  assert.equal(await says('esm.mjs'), 'native accepted\n')
  assert.equal(await says('cjs.cjs'), 'native accepted\n')
  rmSync(join(folder, 'node_modules', addon), { recursive: true })
  assert.equal(await says('esm.mjs'), 'wasm accepted\n')
  assert.equal(await says('cjs.cjs'), 'wasm accepted\n')
})
