import init from './okuru.js'

await init({ module_or_path: new URL('okuru.wasm', import.meta.url) })

export { catalogue, Engine, header } from './okuru.js'
