import * as module from 'okuru-wasm'
import { node } from '../host/node.js'
import { usePlatform } from '../platform.js'

export * from '../index.js'

usePlatform(() => ({ module, engine: 'wasm', host: node }))
