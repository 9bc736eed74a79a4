// The examples: that the types are what people expect, and that they run, against Postfix.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { start } from './support/servers.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const run = promisify(execFile)

test('the examples have the right types', async () => {
  await run(process.execPath, [here('../node_modules/typescript/bin/tsc'), '-p', here('../examples')])
})

test('the examples run', async (t) => {
  const servers = await start('postfix')
  const folder = mkdtempSync(here('../build/examples-'))
  t.after(async () => {
    rmSync(folder, { recursive: true })
    await servers.stop()
  })
  const large = `${folder}/large.eml`
  writeFileSync(large, `From: me@example.test\r\nSubject: large\r\n\r\n${'x'.repeat(70).concat('\r\n').repeat(50_000)}`)
  const env = { ...process.env, SERVER: `smtp://127.0.0.1:${servers.postfix.ports.mx}` }
  for (const [name, expected] of [
    ['send', 'discard@example.test accepted 250\n'],
    ['many', '100\n'],
    ['stream', 'accepted\n'],
  ]) {
    // Node 20 has no `await using`.
    await build({ entryPoints: [here(`../examples/${name}.ts`)], outfile: `${folder}/${name}.mjs`, format: 'esm', target: 'node20', logLevel: 'error' })
    const { stdout } = await run(process.execPath, [`${folder}/${name}.mjs`, large], { env, timeout: 30_000 })
    assert.equal(stdout, expected, name)
  }
})
