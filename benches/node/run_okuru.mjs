// okuru's client for Node.js; OKURU_ENGINE says which engine is behind it.
import { Client } from '../../bindings-node/dist/node.mjs'
import { job } from './job.mjs'

const { host, port, connections, level: pipelining, messages, raw, from, to } = job
const client = new Client({ server: `smtp://${host}:${port}`, tls: 'none', connections, pipelining })

function* all() {
  for (let sent = 0; sent < messages; sent++) yield { raw, from, to }
}

for await (const outcome of client.sendMany(all())) outcome.orThrow()
await client.close()
