import { initSync } from './okuru.js'
import module from './okuru.wasm'

initSync({ module })

export { catalogue, Engine, header } from './okuru.js'
