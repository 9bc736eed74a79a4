// What every program of Node.js is told: where, how many, and which message.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    addr: { type: 'string' },
    messages: { type: 'string' },
    connections: { type: 'string' },
    file: { type: 'string' },
    level: { type: 'string', default: 'session' },
  },
})

const separator = values.addr.lastIndexOf(':')

export const job = {
  host: values.addr.slice(0, separator),
  port: Number(values.addr.slice(separator + 1)),
  messages: Number(values.messages),
  connections: Number(values.connections),
  raw: readFileSync(values.file),
  level: values.level,
  from: 'sender@bench.test',
  to: 'recipient@bench.test',
}
