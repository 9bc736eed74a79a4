// The driver itself: dialogues of tests/vectors over fake sockets, and what it leaves behind.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Client } from 'okuru'
import { inAscii } from '../build/ascii.js'
import { Driver } from '../build/driver.js'
import { packConnectionOptions } from '../build/options.js'
import { open } from '../build/source.js'
import { bytesOf, optionsOf } from './support/vectors.mjs'

const require = createRequire(import.meta.url)
const module = process.env.OKURU_ENGINE === 'wasm' ? require('okuru-wasm') : require(`../dist/okuru.${process.platform}-${process.arch}-gnu.node`)
const workspace = fileURLToPath(new URL('../..', import.meta.url))
const cargo = process.env.CARGO ?? 'cargo'
const json = execFileSync(cargo, ['run', '--locked', '--quiet', '-p', 'okuru-tests', '--bin', 'vectors-json'], { cwd: workspace, maxBuffer: 1 << 30 })

/** What a user of the driver can't do or see: other clocks, commands, networks that are stuck, chunks by hand, odd parameters. */
function isForDrivers({ config, messages, steps }) {
  const known = ['line', 'submit', 'receive', 'eof', 'failed', 'tls_started', 'token', 'quit', 'write', 'start_tls', 'get_token', 'event', 'recipient', 'message', 'closed']
  const isPlain = (message) =>
    message.stream === null && message.parameters === '' && message.deadline === null && message.recipients.length > 0 && message.recipients.every(({ parameters }) => parameters === '')
  return (
    Object.keys(config.reply_limits).length + Object.keys(config.in_flight).length === 0 &&
    messages.every(isPlain) &&
    steps.every((step) => Object.keys(step).every((name) => known.includes(name))) &&
    steps.every((step) => step.write === undefined || step.write.written === null) &&
    steps.every((step) => step.failed === undefined) &&
    steps.filter((step) => step.submit !== undefined).length === 1
  )
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

async function run(dialogue) {
  const { config, messages, steps } = dialogue
  const options = optionsOf(config)
  let peer
  const said = []
  const asked = []
  const host = {
    hostName: () => '',
    connect: (_place, _dialing, told) => {
      peer = told
      const nonce = config.authentication === null ? new Uint8Array(24) : bytesOf(config.authentication.nonce)
      const random = crypto.getRandomValues
      crypto.getRandomValues = (bytes) => (bytes.set(nonce), bytes)
      queueMicrotask(() => {
        peer.opened('')
        crypto.getRandomValues = random
      })
      return {
        write(pieces) {
          for (const piece of pieces) said.push(Buffer.from(piece))
          told.written(pieces.reduce((octets, piece) => octets + piece.length, 0))
        },
        startTls: (server_name, verify) => asked.push({ start_tls: { server_name, verify } }),
        close() {},
      }
    },
  }
  let closed
  let giveToken
  const token = () => {
    asked.push({ get_token: {} })
    return new Promise((resolve) => {
      giveToken = resolve
    })
  }
  const onEvent = (event) => {
    if (event.type === 'closed') closed = event.error === undefined ? 'quit' : event.error.code
  }
  const driver = new Driver(() => module.Engine.connection(packConnectionOptions(options, '')), host, { tls: {}, token, onEvent, resolve: undefined })
  const outcomes = []
  const parcels = messages.map((message, index) => {
    const content = Buffer.concat(message.content.map(bytesOf))
    const { declaration: body, smtputf8, newlines, all_or_nothing: allOrNothing } = message
    const to = message.recipients.map(({ address }) => `<${inAscii(address)}>`)
    const prepared = { from: inAscii(message.from), to, options: { body, smtputf8, newlines, allOrNothing, keepBcc: true }, seen: content, source: open(content) }
    return { index, message: prepared, isCancelled: false, number: undefined, settle: (outcome) => assert.equal((outcomes[index] ??= outcome), outcome) }
  })
  driver.add({ next: () => parcels.shift(), isOver: () => parcels.length === 0 })
  if (steps.some((step) => step.quit !== undefined)) void driver.finish()
  await turn()
  for (const { line, ...step } of steps) {
    const [action] = Object.keys(step)
    const value = step[action]
    const at = `${dialogue.name}, line ${line}`
    if (action === 'receive') peer.received(bytesOf(value.bytes))
    else if (action === 'eof') peer.ended()
    else if (action === 'tls_started') {
      const binding = value.channel_binding
      peer.tlsStarted(value.verified, binding === null ? undefined : { name: binding.kind, data: bytesOf(binding.data) })
    } else if (action === 'token') giveToken(value)
    else if (action === 'write') assert.equal(Buffer.concat(said.splice(0)).toString('latin1'), Buffer.from(bytesOf(value.bytes)).toString('latin1'), at)
    else if (action === 'start_tls' || action === 'get_token') assert.deepEqual(asked.shift(), step, at)
    else if (action === 'recipient') {
      const { status, reply } = outcomes[value.message].recipients[value.recipient]
      assert.deepEqual([status, reply?.code], [value.outcome, value.reply?.code], at)
    } else if (action === 'message') assert.equal(outcomes[value.message].status, value.outcome, at)
    else if (action === 'closed') assert.equal(closed, 'quit' in value ? 'quit' : value.failed.error, at)
    await turn()
  }
  assert.equal(Buffer.concat(said).length, 0, dialogue.name)
}

test('dialogues through the driver', async () => {
  const dialogues = JSON.parse(json).filter(isForDrivers)
  for (const dialogue of dialogues) await run(dialogue)
  assert.ok(dialogues.length > 150, `${dialogues.length} dialogues`)
})

/** A server that takes everything, in as few octets as can be. */
async function kindServer() {
  const server = createServer((socket) => {
    let content = ''
    let isContent = false
    socket.write('220 kind\r\n')
    socket.on('data', (bytes) => {
      content += bytes.toString('latin1')
      for (;;) {
        const end = content.indexOf(isContent ? '\r\n.\r\n' : '\r\n')
        if (end < 0) return
        const verb = content.slice(0, 4)
        content = content.slice(end + (isContent ? 5 : 2))
        if (isContent) {
          isContent = false
          socket.write('250 ok\r\n')
        } else if (verb === 'EHLO') socket.write('250-kind\r\n250 PIPELINING\r\n')
        else if (verb === 'DATA') {
          isContent = true
          socket.write('354 go\r\n')
        } else if (verb === 'QUIT') socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
    socket.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

test('a hundred thousand messages leave nothing behind', async (t) => {
  const server = await kindServer()
  t.after(() => server.close())
  const message = { raw: 'Subject: s\r\n\r\nText\r\n', from: 'a@example.test', to: 'b@example.test', signal: new AbortController().signal }
  const client = new Client({ server: `smtp://127.0.0.1:${server.address().port}`, tls: 'none' })
  function* many(count) {
    for (let n = 0; n < count; n++) yield message
  }
  const send = async (count) => {
    let accepted = 0
    for await (const { status } of client.sendMany(many(count))) if (status === 'accepted') accepted++
    assert.equal(accepted, count)
  }
  await send(20_000)
  globalThis.gc?.()
  const before = process.memoryUsage()
  const handles = process.getActiveResourcesInfo().length
  await send(80_000)
  globalThis.gc?.()
  const after = process.memoryUsage()
  const grown = after.heapUsed + after.external - before.heapUsed - before.external
  assert.ok(grown < 16 << 20, `${grown} octets more`)
  assert.ok(process.getActiveResourcesInfo().length <= handles, process.getActiveResourcesInfo().join(' '))
  await client.close()
})
