// Against Postfix and Dovecot. OKURU_ENGINE says which engine is behind it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { Client, Mailer, OkuruError, send } from 'okuru'
import { mails, start } from './support/servers.mjs'

const engine = process.env.OKURU_ENGINE ?? 'native'

let servers
let tlsOptions
let alice

before(async () => {
  servers = await start('postfix', 'dovecot')
  tlsOptions = { ca: readFileSync(servers.tls.ca, 'utf8') }
  ;[alice] = servers.users
})
after(() => servers.stop())

const at = (role, scheme = 'smtp') => `${scheme}://localhost:${servers.postfix.ports[role]}`
const plain = (role = 'mx') => ({ server: at(role), tls: 'none' })
const from = 'alice@example.test'
const raw = 'Subject: hello\r\n\r\n.It works.\r\n'

/** Closes it when the test is over. Node 20 has no `await using`. */
function closing(t, mailer) {
  t.after(() => mailer.close())
  return mailer
}

test('a message is sent over STARTTLS with SCRAM, and arrives as it was', async (t) => {
  const [box] = [servers.postfix.mailboxes['bob@example.test']]
  const seen = []
  const options = { server: at('submission'), tlsOptions, auth: { user: alice.name, password: alice.password }, onEvent: (event) => seen.push(event) }
  const outcome = await send({ raw, from, to: 'bob@example.test' }, options)
  assert.equal(outcome.orThrow().status, 'accepted')
  assert.match(outcome.queueId, /^[0-9A-Za-z]+$/)
  assert.equal(outcome.reply.code, 250)
  assert.deepEqual(outcome.recipients.map(({ address, status }) => [address, status]), [['bob@example.test', 'accepted']])
  assert.equal(seen.find(({ type }) => type === 'authenticated').mechanism, 'SCRAM-SHA-256')
  const [mail] = await mails(box)
  assert.match(mail.toString(), /Subject: hello\n\n\.It works\.\n$/)
})

test('implicit TLS, and every user', async (t) => {
  for (const { name, password } of servers.users) {
    const server = at('submissions', 'smtps')
    const outcome = await send({ raw, from, to: 'discard@example.test' }, { server, tlsOptions, auth: { user: name, password } })
    // SASLprep has tables that the module in WebAssembly does without.
    if (engine === 'wasm' && !/^[ -~]*$/.test(name + password)) assert.equal(outcome.recipients[0].error.code, 'auth.credentials')
    else assert.equal(outcome.status, 'accepted', name)
  }
})

test('a token comes from a function, once for each connection', async (t) => {
  let asked = 0
  const token = async () => (asked++, alice.token)
  const client = closing(t, new Client({ server: at('submission'), tlsOptions, auth: { user: alice.name, token } }))
  assert.equal((await client.send({ raw, from, to: 'discard@example.test' })).status, 'accepted')
  assert.equal((await client.send({ raw, from, to: 'discard@example.test' })).status, 'accepted')
  assert.equal(asked, 1)
  const failing = { server: at('submission'), tlsOptions, auth: { user: alice.name, token: () => Promise.reject(new Error('gone')) } }
  const outcome = await send({ raw, from, to: 'discard@example.test' }, failing)
  assert.equal(outcome.recipients[0].error.code, 'auth.token')
})

test('a certificate that is not trusted, or is for another name, ends it', async (t) => {
  for (const options of [{}, { tlsOptions, tlsName: 'other.example' }, { tlsOptions: { ca: readFileSync(servers.tls.untrusted_ca, 'utf8') } }]) {
    const outcome = await send({ raw, from, to: 'bob@example.test' }, { server: at('submission'), ...options })
    assert.deepEqual([outcome.status, outcome.recipients[0].error.code], ['deferred', 'tls.certificate'])
  }
})

test('a client shows its certificate', async (t) => {
  const pem = (file) => readFileSync(file, 'utf8')
  const shown = { ...tlsOptions, cert: pem(servers.tls.client), key: pem(servers.tls.client_key) }
  const outcome = await send({ raw, from, to: 'discard@example.test' }, { server: at('client_certificate', 'smtps'), tlsOptions: shown })
  assert.equal(outcome.status, 'accepted')
})

test('credentials never go over plaintext', async (t) => {
  const options = { server: at('plaintext_auth'), tls: 'none', auth: { user: alice.name, password: alice.password } }
  const outcome = await send({ raw, from, to: 'bob@example.test' }, options)
  assert.equal(outcome.recipients[0].error.code, 'security.plaintext_credentials')
  assert.equal((await send({ raw, from, to: 'discard@example.test' }, { ...options, auth: { ...options.auth, allowPlaintextAuth: true } })).status, 'accepted')
})

test('a wrong password is refused, in the words of the server', async (t) => {
  const outcome = await send({ raw, from, to: 'bob@example.test' }, { server: at('submission'), tlsOptions, auth: { user: alice.name, password: 'wrong' } })
  assert.equal(outcome.status, 'rejected')
  assert.equal(outcome.recipients[0].error.code, 'auth.refused')
  assert.throws(() => outcome.orThrow(), OkuruError)
})

test('each recipient has an outcome', async (t) => {
  const to = ['discard@example.test', 'reject@example.test', 'defer@example.test']
  const outcome = await send({ raw, from, to }, plain())
  assert.equal(outcome.status, 'partial')
  assert.deepEqual(outcome.recipients.map(({ status }) => status), ['accepted', 'rejected', 'deferred'])
  assert.deepEqual(outcome.recipients.map(({ reply }) => reply.code), [250, 550, 450])
  assert.deepEqual(outcome.recipients.map(({ error }) => error?.code), [undefined, 'reply.rejected', 'reply.deferred'])
  assert.deepEqual(outcome.addresses('rejected'), ['reject@example.test'])
  assert.equal(JSON.parse(JSON.stringify(outcome)).recipients[1].error.code, 'reply.rejected')
  const none = await send({ raw, from, to, allOrNothing: true }, plain())
  assert.deepEqual(none.recipients.map(({ status }) => status), ['deferred', 'rejected', 'deferred'])
})

test('an address that is none is refused before anything is sent, others are not', async (t) => {
  const client = closing(t, new Client(plain()))
  const messages = ['a b@example.test', 'discard@example.test', 'x@y\r\nDATA'].map((to) => ({ raw, from, to }))
  const outcomes = []
  for await (const outcome of client.sendMany(messages)) outcomes[outcome.index] = outcome
  assert.deepEqual(outcomes.map(({ status }) => status), ['rejected', 'accepted', 'rejected'])
  assert.equal(outcomes[0].error.code, 'address.syntax')
  assert.equal(outcomes[0].recipients[0].address, 'a b@example.test')
})

test('from, to and what is hidden come from the header', async (t) => {
  const to = 'header@example.test'
  const text = `From: Al <${from}>\r\nTo: ${to}\r\nBcc: discard@example.test\r\nSubject: s\r\n\r\n`
  const bodies = ['short\r\n', 'x'.repeat(70).concat('\r\n').repeat(1000), 'y'.repeat(70).concat('\r\n').repeat(30_000)]
  const chunks = async function* (whole) {
    for (let at = 0; at < whole.length; at += 1000) yield whole.slice(at, at + 1000)
  }
  const client = closing(t, new Client(plain()))
  const ways = [(whole) => whole, (whole) => new TextEncoder().encode(whole), (whole) => Readable.from(Buffer.from(whole)), chunks, (whole) => new Blob([whole])]
  ways.push((whole) => new Blob([whole]).stream())
  let count = 0
  for (const body of bodies) {
    for (const way of ways) {
      const outcome = await client.send({ raw: way(text + body) })
      assert.equal(outcome.orThrow().from, from)
      assert.deepEqual(outcome.recipients.map(({ address }) => address), [to, 'discard@example.test'])
      count++
    }
  }
  const expected = new Set(bodies.map((body) => text.replace(/Bcc.*\r\n/, '').concat(body).replaceAll('\r\n', '\n')))
  for (const mail of await mails(servers.postfix.mailboxes['*'], count)) {
    const whole = mail.toString()
    if (!whole.includes(`To: ${to}`)) continue
    assert.ok(expected.has(whole.slice(whole.indexOf('From: Al'))), `${whole.length} octets`)
  }
})

test('dots and bare line ends in large messages arrive as they should', async (t) => {
  const line = '.dot\n..two\r\nbare\rend\r\n'
  const body = line.repeat(60_000)
  const box = servers.postfix.mailboxes['large@example.test'] ?? servers.postfix.mailboxes['*']
  const head = `From: ${from}\r\nSubject: large\r\n\r\n`
  const expected = head.replaceAll('\r\n', '\n') + '.dot\n..two\nbare\nend\n'.repeat(60_000)
  for (const chunking of ['never', 'prefer']) {
    const client = closing(t, new Client({ ...plain(), chunking }))
    assert.equal((await client.send({ raw: Buffer.from(head + body), to: 'large@example.test' })).status, 'accepted')
    assert.equal((await client.send({ raw: Readable.from(Buffer.from(head + body)), to: 'large@example.test' })).status, 'accepted')
  }
  let found = 0
  for (let tries = 0; tries < 100 && found < 4; tries++) {
    const all = await mails(box)
    found = all.filter((mail) => mail.toString().endsWith(expected)).length
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.equal(found, 4)
})

test('a thousand messages over four connections, at each level', async (t) => {
  const messages = function* () {
    for (let n = 0; n < 1000; n++) yield { raw: `Subject: ${n}\r\n\r\nText\r\n`, from, to: 'discard@example.test' }
  }
  for (const pipelining of ['none', 'message', 'session', 'streaming']) {
    const client = closing(t, new Client({ ...plain(), connections: 4, pipelining }))
    const seen = new Set()
    for await (const outcome of client.sendMany(messages())) {
      assert.equal(outcome.status, 'accepted')
      seen.add(outcome.index)
    }
    assert.equal(seen.size, 1000, pipelining)
  }
})

test('a stream that fails defers its message, and the next goes out', async (t) => {
  const client = closing(t, new Client(plain()))
  const failing = async function* () {
    yield `From: ${from}\r\nSubject: s\r\n\r\n`
    yield 'x'.repeat(100_000)
    throw new Error('the disc is gone')
  }
  const outcome = await client.send({ raw: failing(), to: 'bob@example.test' })
  assert.equal(outcome.recipients[0].status, 'deferred')
  assert.match(outcome.recipients[0].error.message, /the disc is gone/)
  assert.equal((await client.send({ raw, from, to: 'discard@example.test' })).status, 'accepted')
})

test('cancelling: before, and while a stream is under way', async (t) => {
  const client = closing(t, new Client(plain()))
  const before = await client.send({ raw, from, to: 'bob@example.test', signal: AbortSignal.abort() })
  assert.deepEqual([before.status, before.recipients[0].error.code], ['deferred', 'cancelled'])
  const controller = new AbortController()
  const endless = async function* () {
    yield 'Subject: s\r\n\r\n'
    for (;;) {
      yield 'x'.repeat(1000)
      controller.abort()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  const during = await client.send({ raw: endless(), from, to: 'bob@example.test', signal: controller.signal })
  assert.deepEqual([during.status, during.recipients[0].error.code], ['deferred', 'cancelled'])
  assert.equal((await client.send({ raw, from, to: 'discard@example.test' })).status, 'accepted')
})

test('whoever leaves the loop early cancels the rest', async (t) => {
  const client = closing(t, new Client(plain()))
  let given = 0
  let closed = false
  const messages = function* () {
    try {
      for (;;) {
        given++
        yield { raw, from, to: 'discard@example.test' }
      }
    } finally {
      closed = true
    }
  }
  for await (const outcome of client.sendMany(messages())) {
    assert.equal(outcome.status, 'accepted')
    break
  }
  assert.ok(closed)
  assert.ok(given < 5000, `${given} messages were taken`)
})

test('LMTP over TCP and a Unix socket: one reply for each recipient', async (t) => {
  const { host, dovecot } = servers
  for (const server of [`lmtp://${host}:${dovecot.ports.lmtp}`, `lmtp://${dovecot.sockets.lmtp}`]) {
    const outcome = await send({ raw, from, to: ['bob@example.test', 'full@example.test', 'nobody@example.test'] }, { server })
    assert.deepEqual(outcome.recipients.map(({ reply }) => reply.code), [250, 552, 550])
  }
})

test('the first server that works is used', async (t) => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address()
  closed.close()
  await once(closed, 'close')
  const mailer = closing(t, new Mailer({ server: [`smtp://127.0.0.1:${port}`, at('mx')], tls: 'none' }))
  assert.equal((await mailer.send({ raw, from, to: 'discard@example.test' })).status, 'accepted')
  const outcome = await send({ raw, from, to: 'bob@example.test' }, { server: `smtp://127.0.0.1:${port}`, tls: 'none' })
  assert.deepEqual([outcome.status, outcome.recipients[0].error.code], ['deferred', 'connect.refused'])
})

test('verify logs in and leaves', async (t) => {
  const client = new Client({ server: at('submission'), tlsOptions, auth: { user: alice.name, password: alice.password } })
  assert.ok((await client.verify()).keywords.includes('PIPELINING'))
  await client.close()
  const wrong = new Client({ server: at('submission'), tlsOptions, auth: { user: alice.name, password: 'wrong' } })
  await assert.rejects(wrong.verify(), { code: 'auth.refused' })
  await wrong.close()
})

test('options and messages that make no sense are refused, and repeat no secret', async (t) => {
  for (const options of [{}, { server: 'imap://x' }, { server: 'smtp://x', connections: 0 }, { server: 'smtp://x', nonsense: 1 }, { server: 'smtp://x', auth: { user: 'x' } }]) {
    assert.throws(() => new Client(options), { code: 'usage' }, JSON.stringify(options))
  }
  assert.throws(() => new Client('smtp://x:hunter2@x:99999'), (error) => error instanceof OkuruError && !error.message.includes('hunter2'))
  const client = closing(t, new Client(plain()))
  for (const message of [undefined, {}, { raw: 5, from, to: 'a@b' }, { raw, from, to: 5 }, { raw, from, to: 'a@example.test', nonsense: 1 }]) {
    await assert.rejects(client.send(message), { code: 'usage' }, JSON.stringify(message))
  }
})
