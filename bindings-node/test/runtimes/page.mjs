// What a browser does: every dialogue through the engine, and mail through a proxy.
import { send, useProxy } from 'okuru'
import * as wasm from 'okuru-wasm'
import { cuts, run } from '../support/vectors.mjs'

const said = {}
try {
  const { proxy, server, user, password } = await (await fetch('/settings')).json()
  const dialogues = await (await fetch('/vectors')).json()
  for (const dialogue of dialogues) for (const cut of [cuts.whole, cuts.each]) run(wasm, dialogue, cut)
  said.dialogues = dialogues.length
  const message = { raw: 'Subject: hello\r\n\r\nHello\r\n', from: 'alice@example.test', to: 'discard@example.test' }
  const without = await send(message, { server, auth: { user, password } })
  said.withoutProxy = without.recipients[0].error.code
  useProxy(proxy)
  said.sent = (await send(message, { server, auth: { user, password } })).status
} catch (error) {
  said.error = `${error.stack}`
}
await fetch('/said', { method: 'POST', body: JSON.stringify(said) })
