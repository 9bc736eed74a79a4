import { createRequire } from 'node:module'
import type { EngineModule } from '../engine/engine.js'
import { node } from '../host/node.js'
import { usePlatform, type Platform } from '../platform.js'

export * from '../index.js'

/** Where the addon may be: beside this file when it was built here, else in the package for this machine. */
function addons(): string[] {
  const { platform, arch } = process
  const libc = platform === 'linux' ? (isGnu() ? '-gnu' : '-musl') : platform === 'win32' ? '-msvc' : ''
  return [`./okuru.${platform}-${arch}${libc}.node`, `okuru-${platform}-${arch}${libc}`]
}

function isGnu(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime !== undefined
}

/** The addon if there is one for this machine, else WebAssembly. `OKURU_ENGINE=wasm` asks for the latter. */
function load(): Platform {
  const require = createRequire(import.meta.url)
  const wanted = process.env['OKURU_ENGINE']
  if (wanted !== 'wasm') {
    for (const place of addons()) {
      try {
        return { module: require(place) as EngineModule, engine: 'native', host: node }
      } catch (error) {
        // It is not here, or not for this machine: WebAssembly does the same.
        if (wanted === 'native') throw error
      }
    }
  }
  return { module: require('okuru-wasm') as EngineModule, engine: 'wasm', host: node }
}

usePlatform(load)
