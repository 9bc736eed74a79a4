// What both engines have in common: everything.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ERROR_CODES } from 'okuru'

const require = createRequire(import.meta.url)
const native = require(`../dist/okuru.${process.platform}-${process.arch}-gnu.node`)
const wasm = require('okuru-wasm')

/** What WebAssembly needs besides, to let go of its memory. */
const OF_WASM = ['__destroy_into_raw', 'free']

const OF_FUNCTIONS = ['arguments', 'caller', 'length', 'name', 'prototype']

test('both have the same interface', () => {
  const names = (object) => Object.getOwnPropertyNames(object).filter((name) => !OF_WASM.includes(name)).sort()
  assert.deepEqual(names(native), names(wasm).filter((name) => name in native))
  for (const name of Object.keys(native)) assert.equal(typeof wasm[name], typeof native[name], name)
  assert.deepEqual(names(native.Engine.prototype), names(wasm.Engine.prototype))
  assert.deepEqual(names(native.Engine).filter((name) => !OF_FUNCTIONS.includes(name)), ['connection', 'mailer'])
  assert.deepEqual(names(wasm.Engine).filter((name) => ![...OF_FUNCTIONS, '__wrap'].includes(name)), ['connection', 'mailer'])
})

test('both have the catalogue of the core, and so has the driver', () => {
  const catalogue = native.catalogue()
  assert.equal(wasm.catalogue(), catalogue)
  const codes = catalogue.trimEnd().split('\n').map((line) => line.split('\t')[0])
  assert.deepEqual(codes, [...ERROR_CODES])
  const source = readFileSync(new URL('../../core/src/error.rs', import.meta.url), 'utf8')
  assert.deepEqual(codes, Array.from(source.matchAll(/^ +\w+ = "([a-z0-9_.]+)",/gm), ([, code]) => code))
})

test('what is no record is refused by both, in the same words', () => {
  const table = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, ...Buffer.from('server'), 0, 8, 0, 0, 0, ...Buffer.from('smtp://x'))
  const messages = [native, wasm].map(({ Engine }) => {
    const engine = Engine.mailer(table, 0.5)
    const errors = []
    for (const record of [Uint8Array.of(99), Uint8Array.of(1, 1, 255, 255, 255, 255), Uint8Array.of(4), Uint8Array.of(18, 0, 0, 0, 0, 0)]) {
      assert.throws(() => engine.step(0, record), (error) => errors.push(error.message) > 0)
    }
    assert.throws(() => Engine.mailer(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0), 0.5), (error) => errors.push(error.message) > 0)
    return errors
  })
  assert.equal(messages[0].length, 5)
  assert.deepEqual(messages[0], messages[1])
})

test('the module in WebAssembly is small', () => {
  const module = readFileSync(require.resolve('okuru-wasm/okuru.wasm'))
  const octets = gzipSync(module, { level: 9 }).length
  assert.ok(octets <= 216 * 1024, `${octets} octets gzipped`)
})
