// A Worker that sends by STARTTLS with SCRAM to each of the servers that it is asked for, and runs dialogues.
import { Client, send } from 'okuru'
import * as wasm from 'okuru-wasm'
import { cuts, run } from '../support/vectors.mjs'

const from = 'alice@example.test'
const to = 'discard@example.test'
const raw = 'Subject: hello\r\n\r\nHello\r\n'

export default {
  async fetch(request) {
    const url = new URL(request.url)
    if (url.pathname === '/vectors') {
      const dialogues = await request.json()
      for (const dialogue of dialogues) for (const cut of [cuts.whole, cuts.each]) run(wasm, dialogue, cut)
      return Response.json({ dialogues: dialogues.length })
    }
    const { servers, mx, user, password } = await request.json()
    const said = { sent: [], mechanisms: [] }
    const onEvent = (event) => event.type === 'authenticated' && said.mechanisms.push(event.mechanism)
    for (const server of servers) {
      const outcome = await send({ raw, from, to }, { server, auth: { user, password }, onEvent })
      said.sent.push(outcome.status === 'accepted' ? 'accepted' : JSON.stringify(outcome))
    }
    const wrong = await send({ raw, from, to }, { server: servers[0], tlsName: 'other.example', auth: { user, password } })
    said.wrongName = wrong.recipients[0].error.code
    const client = new Client({ server: mx, tls: 'none', connections: 2 })
    const messages = Array.from({ length: 200 }, () => ({ raw, from, to }))
    said.many = 0
    for await (const outcome of client.sendMany(messages)) if (outcome.status === 'accepted') said.many++
    said.stream = (await client.send({ raw: new Blob([raw, 'x'.repeat(70).concat('\r\n').repeat(20_000)]).stream(), from, to })).status
    await client.close()
    return Response.json(said)
  },
}
