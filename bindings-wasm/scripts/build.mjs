// `node scripts/build.mjs`: the module and what loads it, in `dist`. It needs the target wasm32-unknown-unknown, and the tools of
// `../bindings-node`.
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const workspace = fileURLToPath(new URL('../..', import.meta.url))
const at = (path) => `${root}${path}`
const run = (program, ...args) => execFileSync(program, args, { cwd: workspace, stdio: 'inherit' })
const tools = createRequire(new URL('../../bindings-node/package.json', import.meta.url))
const cargo = process.env.CARGO ?? 'cargo'

run(cargo, 'build', '--locked', '-p', 'okuru-wasm', '--profile', 'wasm', '--target', 'wasm32-unknown-unknown')
rmSync(at('dist'), { recursive: true, force: true })
mkdirSync(at('dist'))
const module = `${workspace}target/wasm32-unknown-unknown/wasm/okuru_wasm.wasm`
run(cargo, 'run', '--locked', '--quiet', '-p', 'okuru-wasm-build', '--', module, at('dist'))
renameSync(at('dist/okuru_bg.wasm'), at('dist/okuru.wasm'))
const wasm = at('dist/okuru.wasm')
run(process.execPath, tools.resolve('binaryen/bin/wasm-opt'), '-Oz', '--converge', '--strip-debug', '--strip-producers', wasm, '-o', wasm)
for (const file of readdirSync(at('js'))) copyFileSync(at(`js/${file}`), at(`dist/${file}`))

const { build } = tools('esbuild')
await build({
  entryPoints: [at('dist/node.mjs')],
  outfile: at('dist/node.cjs'),
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'es2022',
  define: { 'import.meta.url': 'here' },
  banner: { js: "const here = require('node:url').pathToFileURL(__filename).href" },
  logLevel: 'warning',
})
