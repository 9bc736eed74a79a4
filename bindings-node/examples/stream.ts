// A large message from a file, which is never held as a whole, and may be cancelled.
import { createReadStream } from 'node:fs'
import { Client } from 'okuru'

const server = process.env['SERVER'] ?? 'smtp://user:password@mail.example.com'
const file = process.argv[2] ?? 'large.eml'

await using client = new Client({ server, tls: 'none' })
const outcome = await client.send({
  raw: createReadStream(file),
  envelope: { from: 'me@example.test', to: [{ address: 'discard@example.test', notify: ['failure'] }] },
  signal: AbortSignal.timeout(60_000),
})
console.log(outcome.status)
