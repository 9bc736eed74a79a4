// nodemailer with its pool. As many messages as connections wait at a time, and one more for each.
import { createRequire } from 'node:module'
import { job } from './job.mjs'

const nodemailer = createRequire(new URL('../../bindings-node/package.json', import.meta.url))('nodemailer')
const { host, port, connections, messages, raw, from, to } = job
const pool = { pool: true, maxConnections: connections, maxMessages: Infinity }
const transport = nodemailer.createTransport({ host, port, secure: false, ignoreTLS: true, ...pool })

let begun = 0
async function sender() {
  while (begun < messages) {
    begun++
    const { rejected } = await transport.sendMail({ envelope: { from, to }, raw })
    if (rejected.length > 0) throw new Error('a recipient was rejected')
  }
}

await Promise.all(Array.from({ length: connections * 2 }, sender))
transport.close()
