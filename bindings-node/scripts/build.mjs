// `node scripts/build.mjs`: what goes into the package, in `dist`. The addon is copied there if cargo has built it.
import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const at = (path) => `${root}${path}`

const common = {
  bundle: true,
  outdir: at('dist'),
  target: 'es2022',
  // Engines are packages of their own, and the runtimes' modules are the runtimes'.
  external: ['okuru-wasm', 'node:*', 'cloudflare:*'],
  logLevel: 'warning',
  legalComments: 'none',
}

rmSync(at('dist'), { recursive: true, force: true })
mkdirSync(at('dist'))
const entries = ['node', 'bun', 'deno', 'workerd', 'browser'].filter((name) => existsSync(at(`ts/entry/${name}.ts`)))
await build({
  ...common,
  entryPoints: entries.map((name) => at(`ts/entry/${name}.ts`)),
  format: 'esm',
  outExtension: { '.js': '.mjs' },
})
await build({
  ...common,
  entryPoints: [at('ts/entry/node.ts')],
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  define: { 'import.meta.url': 'here' },
  banner: { js: "const here = require('node:url').pathToFileURL(__filename).href" },
})

execFileSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '-p', root, '--emitDeclarationOnly', '--outDir', at('dist/types')], {
  stdio: 'inherit',
})
// The same types for whoever says require.
cpSync(at('dist/types'), at('dist/types-cjs'), { recursive: true })
writeFileSync(at('dist/types-cjs/package.json'), '{ "type": "commonjs" }\n')

const addon = at('../target/release/libokuru_node.so')
if (process.platform === 'linux' && existsSync(addon)) copyFileSync(addon, at(`dist/okuru.linux-${process.arch}-gnu.node`))
