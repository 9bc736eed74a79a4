import { readFileSync } from 'node:fs'
import { initSync } from './okuru.js'

initSync({ module: readFileSync(new URL('okuru.wasm', import.meta.url)) })

export { catalogue, Engine, header } from './okuru.js'
