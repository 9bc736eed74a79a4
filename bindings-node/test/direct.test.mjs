// To the servers that the DNS names: Knot has domains of every shape, and behind one of them is Postfix.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Mailer } from 'okuru'
import { start } from './support/servers.mjs'

let servers
before(async () => {
  servers = await start('postfix', 'knot')
})
after(() => servers.stop())

const options = () => ({ nameServers: [`127.0.0.1:${servers.knot.ports.dns}`], mxPort: servers.postfix.ports.mx, tls: 'none', ehlo: 'client.example' })
const raw = 'Subject: hello\r\n\r\nHello\r\n'
const from = 'alice@example.test'

test('each domain goes its way', async () => {
  const expected = {
    'discard@example.test': ['accepted', undefined],
    'discard@[127.0.0.1]': ['accepted', undefined],
    'c@null.test': ['rejected', 'dns.null_mx'],
    'e@dead.test': ['deferred', 'connect.refused'],
    'f@nowhere.test': ['rejected', 'dns.no_such_host'],
    'h@vain.test': ['rejected', 'dns.no_server'],
    'i@broken': ['deferred', 'dns.temporary'],
    'j@second.test': ['deferred', 'connect.refused'],
  }
  const seen = []
  const mailer = Mailer.direct({ ...options(), onEvent: (event) => seen.push(event) })
  const outcome = await mailer.send({ raw, from, to: Object.keys(expected) })
  await mailer.close()
  assert.deepEqual(Object.fromEntries(outcome.recipients.map(({ address, status, error }) => [address, [status, error?.code]])), expected)
  const routed = seen.filter(({ type }) => type === 'routed').map(({ domain, verdict }) => [domain, verdict])
  assert.deepEqual(new Map(routed).get('null.test'), 'null_mx')
})

test('what comes back to ourselves is a loop, and what nobody takes goes to the fallback', async () => {
  const loop = Mailer.direct({ ...options(), selfName: 'us.test' })
  const outcome = await loop.send({ raw, from, to: 'k@second.test' })
  await loop.close()
  assert.deepEqual([outcome.status, outcome.recipients[0].error.code], ['rejected', 'dns.loop'])
  const fallback = `smtp://127.0.0.1:${servers.postfix.ports.mx}`
  const mailer = Mailer.direct({ ...options(), fallback })
  const relayed = await mailer.send({ raw, from, to: ['c@null.test', 'e@dead.test'] })
  await mailer.close()
  // Postfix takes only what is for its own domain: that it was asked at all shows where the mail went.
  assert.deepEqual(relayed.recipients.map(({ error }) => error.code), ['dns.null_mx', 'reply.rejected'])
})

test('without anybody to ask, nobody knows for now', async () => {
  const mailer = Mailer.direct({ ...options(), resolve: async () => ({ records: { kind: 'failed' } }) })
  const outcome = await mailer.send({ raw, from, to: 'discard@example.test' })
  await mailer.close()
  assert.deepEqual([outcome.status, outcome.recipients[0].error.code], ['deferred', 'dns.temporary'])
})
