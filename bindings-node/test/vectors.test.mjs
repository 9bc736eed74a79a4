// Every dialogue of tests/vectors, through both engines.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runAll } from './support/vectors.mjs'

const require = createRequire(import.meta.url)
const workspace = fileURLToPath(new URL('../..', import.meta.url))
const cargo = process.env.CARGO ?? 'cargo'
const json = execFileSync(cargo, ['run', '--locked', '--quiet', '-p', 'okuru-tests', '--bin', 'vectors-json'], { cwd: workspace, maxBuffer: 1 << 30 })
const dialogues = JSON.parse(json)

const engines = { native: `../dist/okuru.${process.platform}-${process.arch}-gnu.node`, wasm: 'okuru-wasm' }

for (const [name, place] of Object.entries(engines)) {
  test(`every dialogue, cut in every way: ${name}`, () => {
    const { runs } = runAll(require(place), dialogues)
    assert.ok(dialogues.length > 300, `${dialogues.length} dialogues`)
    assert.ok(runs > 20 * dialogues.length, `${runs} runs`)
  })
}
