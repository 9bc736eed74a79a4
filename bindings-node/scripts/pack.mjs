// `node scripts/pack.mjs`: every package that can be built here as npm has it, in `target/npm`: okuru, okuru-wasm, and the addon for this
// machine. Those for other machines are packed on them: each looks for its own.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const workspace = fileURLToPath(new URL('../..', import.meta.url))
const target = `${workspace}target/npm`
const read = (path) => JSON.parse(readFileSync(`${workspace}${path}/package.json`, 'utf8'))
const okuru = read('bindings-node')
const wasm = read('bindings-wasm')
const { version, license, repository, engines } = okuru

/** The machines that releases have an addon for. */
export const MACHINES = [
  { os: 'linux', cpu: 'x64', libc: 'glibc', suffix: '-gnu' },
  { os: 'linux', cpu: 'arm64', libc: 'glibc', suffix: '-gnu' },
  { os: 'linux', cpu: 'x64', libc: 'musl', suffix: '-musl' },
  { os: 'darwin', cpu: 'x64', suffix: '' },
  { os: 'darwin', cpu: 'arm64', suffix: '' },
  { os: 'win32', cpu: 'x64', suffix: '-msvc' },
]

const nameOf = ({ os, cpu, suffix }) => `okuru-${os}-${cpu}${suffix}`

function pack(folder, manifest, files) {
  const stage = `${target}/stage/${manifest.name}`
  mkdirSync(stage, { recursive: true })
  for (const [from, to] of files) cpSync(`${workspace}${from}`, `${stage}/${to}`, { recursive: true, filter: (path) => !path.endsWith('.node') || to.endsWith('.node') })
  for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(`${workspace}${licence}`, `${stage}/${licence}`)
  writeFileSync(`${stage}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`)
  execFileSync('npm', ['pack', '--silent', '--pack-destination', target], { cwd: stage, stdio: ['ignore', 'inherit', 'inherit'] })
}

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })

const { devDependencies: _, scripts: __, files: ___, ...published } = okuru
pack(
  'okuru',
  {
    ...published,
    dependencies: { 'okuru-wasm': version },
    optionalDependencies: Object.fromEntries(MACHINES.map((machine) => [nameOf(machine), version])),
  },
  [
    ['bindings-node/dist', 'dist'],
    ['bindings-node/docs', 'docs'],
    ['bindings-node/README.md', 'README.md'],
  ],
)
pack('okuru-wasm', wasm, [
  ['bindings-wasm/dist', 'dist'],
  ['bindings-wasm/README.md', 'README.md'],
])
for (const machine of MACHINES) {
  const { os, cpu, libc, suffix } = machine
  const addon = `okuru.${os}-${cpu}${suffix}.node`
  if (!existsSync(`${workspace}bindings-node/dist/${addon}`)) continue
  const description = `The engine of okuru for ${os} on ${cpu}`
  const manifest = { name: nameOf(machine), version, description, license, repository, engines, os: [os], cpu: [cpu], ...(libc && { libc: [libc] }), main: addon }
  pack(manifest.name, manifest, [[`bindings-node/dist/${addon}`, addon]])
}
rmSync(`${target}/stage`, { recursive: true })
