import type { Reader } from './engine/packing.js'
import { readError, type OkuruError } from './error.js'
import { readReply, type RecipientStatus, type Reply } from './outcome.js'

/** Something on a connection. */
export interface OnConnection {
  /** The connection, by its number. */
  connection: number
  /** The server that it goes to. */
  server: string
}

/** What a user may want to know. */
export type Event =
  | ({ type: 'greeting'; reply: Reply } & OnConnection)
  | ({ type: 'capabilities'; name: string; keywords: string[] } & OnConnection)
  | ({ type: 'authenticated'; mechanism: string } & OnConnection)
  | ({ type: 'logged-in'; method: string } & OnConnection)
  | ({ type: 'ready' } & OnConnection)
  | ({ type: 'pipelining-reduced' } & OnConnection)
  | ({ type: 'reply'; command: number; reply: Reply } & OnConnection)
  | ({ type: 'trace'; kind: 'sent' | 'tls'; line: string } & OnConnection)
  | ({ type: 'trace'; kind: 'content'; octets: number } & OnConnection)
  | ({ type: 'trace'; kind: 'received'; reply?: Reply; line?: string } & OnConnection)
  | ({ type: 'closed'; error?: OkuruError; reply?: Reply } & OnConnection)
  | { type: 'sending'; connection: number; message: number; recipients: number[] }
  | {
      type: 'tried'
      message: number
      destination: string
      server?: string
      attempt: number
      recipients: number[]
      states: RecipientStatus[]
      again: number | undefined
      greylisted: boolean
    }
  | { type: 'fell-back'; message: number; from: string; to: string }
  | { type: 'resting'; server: string; error: OkuruError; until: number }
  | { type: 'recovered'; server: string }
  | { type: 'slowed'; server: string; connections: number }
  | { type: 'routed'; domain: string; verdict: string; reason: string; hosts: string[] }
  | { type: 'other' }

/** An event that was packed, as `engine/src/event.rs` has it: a name, and named values. */
export function readEvent(packed: Reader): Event {
  const event: { [name: string]: unknown } = { type: packed.text() }
  while (!packed.isAtEnd) event[packed.text()] = readValue(packed)
  return event as Event
}

function readValue(packed: Reader): unknown {
  switch (packed.octet()) {
    case 0:
      return packed.text()
    case 1:
      return packed.number()
    case 2:
      return packed.flag()
    case 3:
      return readReply(packed)
    case 4:
      return readError(packed)
    case 5:
      return packed.sized().rest((packed) => packed.text())
    case 6:
      return packed.sized().rest((packed) => packed.number())
    default: {
      const time = packed.number()
      return Number.isNaN(time) ? undefined : time
    }
  }
}
