import * as module from 'okuru-wasm'
import { deno } from '../host/deno.js'
import { usePlatform } from '../platform.js'

export * from '../index.js'

usePlatform(() => ({ module, engine: 'wasm', host: deno }))
