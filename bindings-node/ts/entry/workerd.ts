import * as module from 'okuru-wasm'
import { workerd } from '../host/workerd.js'
import { usePlatform } from '../platform.js'

export * from '../index.js'

usePlatform(() => ({ module, engine: 'wasm', host: workerd }))
