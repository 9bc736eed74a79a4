// What Deno and Bun do: mail by STARTTLS and SCRAM, by implicit TLS, over plaintext, from a stream; and every dialogue through the engine.
// It is told where by a line of JSON in its first argument, and says what came of it in one.
import { readFileSync } from 'node:fs'
import { Client, send } from 'okuru'
import * as wasm from 'okuru-wasm'
import { cuts, run } from '../support/vectors.mjs'

const { submission, submissions, mx, ca, user, password, vectors } = JSON.parse(process.argv[2])
const tlsOptions = { ca: readFileSync(ca, 'utf8') }
const from = 'alice@example.test'
const to = 'discard@example.test'
const raw = 'Subject: hello\r\n\r\nHello\r\n'
const said = {}

const mechanisms = []
const onEvent = (event) => event.type === 'authenticated' && mechanisms.push(event.mechanism)
said.starttls = (await send({ raw, from, to }, { server: `smtp://localhost:${submission}`, tlsOptions, auth: { user, password }, onEvent })).status
said.mechanisms = mechanisms
said.implicit = (await send({ raw, from, to }, { server: `smtps://localhost:${submissions}`, tlsOptions, auth: { user, password } })).status
const untrusted = await send({ raw, from, to }, { server: `smtps://localhost:${submissions}`, auth: { user, password } })
said.untrusted = untrusted.recipients[0].error.code

const client = new Client({ server: `smtp://127.0.0.1:${mx}`, tls: 'none', connections: 2 })
const messages = Array.from({ length: 500 }, () => ({ raw, from, to }))
said.many = 0
for await (const outcome of client.sendMany(messages)) if (outcome.status === 'accepted') said.many++
const large = 'x'.repeat(70).concat('\r\n').repeat(60_000)
said.stream = (await client.send({ raw: new Blob([raw, large]).stream(), from, to })).status
said.bytes = (await client.send({ raw: new TextEncoder().encode(raw + large), from, to })).status
await client.close()

const refused = await send({ raw, from, to }, { server: 'smtp://127.0.0.1:1', tls: 'none' })
said.refused = refused.recipients[0].error.code

const dialogues = JSON.parse(readFileSync(vectors, 'utf8'))
for (const dialogue of dialogues) for (const cut of [cuts.whole, cuts.each]) run(wasm, dialogue, cut)
said.dialogues = dialogues.length
console.log(JSON.stringify(said))
