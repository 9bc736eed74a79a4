import { Reader } from './engine/packing.js'
import { OkuruError, readError } from './error.js'

/** What became of one recipient. */
export type RecipientStatus =
  /** The server took responsibility. A retry would be wrong. */
  | 'accepted'
  /** Not now, or the connection ended before the content was fully sent. A retry is safe. */
  | 'deferred'
  /** Never, as it is. A retry is useless. */
  | 'rejected'
  /** The content was fully sent, and no reply came. A retry may send it twice. */
  | 'unknown'

/** What became of a message as a whole: `partial` if it was accepted for some of its recipients. */
export type Status = RecipientStatus | 'partial'

/** How far a message had come when it ended. */
export type Progress = 'queued' | 'envelope' | 'content' | 'sent'

const STATUSES = ['accepted', 'partial', 'deferred', 'rejected', 'unknown'] as const
const PROGRESS = ['queued', 'envelope', 'content', 'sent'] as const

/** A server's words. */
export interface Reply {
  /** The three digits. */
  readonly code: number
  /** The enhanced status code (RFC 3463), such as `5.1.1`. */
  readonly enhanced: string | undefined
  /** The text of each line, without codes. */
  readonly lines: readonly string[]
  /** The text of all lines. */
  readonly text: string
  /** All of it, as it came. */
  readonly raw: Uint8Array
}

/** What became of one recipient, and why. */
export interface RecipientOutcome {
  /** Who. */
  readonly address: string
  /** What became of it. */
  readonly status: RecipientStatus
  /** The server's words about this recipient. */
  readonly reply: Reply | undefined
  /** Why it was not accepted. */
  readonly error: OkuruError | undefined
}

/** All that an outcome says. */
interface Contents {
  status: Status
  progress: Progress
  roundTrips: number
  queueId: string | undefined
  reply: Reply | undefined
  error: OkuruError | undefined
  from: string
  recipients: readonly RecipientOutcome[]
}

/** What became of a message: one of four outcomes for each recipient, with the server's words behind it. */
export class Outcome {
  /** The number of the message in its call of `sendMany`, from 0. */
  readonly index: number
  /** It is read when somebody asks: of most messages, nobody wants to know all. */
  #contents: Uint8Array | Contents

  /** @internal */
  constructor(index: number, contents: Uint8Array | Contents) {
    this.index = index
    this.#contents = contents
  }

  /** What became of the message as a whole. */
  get status(): Status {
    return this.#contents instanceof Uint8Array ? (STATUSES[this.#contents[8] ?? 4] ?? 'unknown') : this.#contents.status
  }

  /** What became of each recipient, in the order of the envelope. */
  get recipients(): readonly RecipientOutcome[] {
    return this.#read().recipients
  }

  /** The reply that decided about the message as a whole: to the content, or to a command that was refused. */
  get reply(): Reply | undefined {
    return this.#read().reply
  }

  /** What stopped the message as a whole, if nobody accepted it. */
  get error(): OkuruError | undefined {
    return this.#read().error
  }

  /** The id under which the server has queued it, where its words say so in a form that is known. */
  get queueId(): string | undefined {
    return this.#read().queueId
  }

  /** The reverse-path: where notices of failure go. */
  get from(): string {
    return this.#read().from
  }

  /** How far it had come when it ended. */
  get progress(): Progress {
    return this.#read().progress
  }

  /** How often the connection had to wait for the server on its account. */
  get roundTrips(): number {
    return this.#read().roundTrips
  }

  /** The addresses of those who are of this status. */
  addresses(status: RecipientStatus): string[] {
    return this.recipients.filter((recipient) => recipient.status === status).map((recipient) => recipient.address)
  }

  /**
   * The outcome itself if every recipient was accepted; else throws the error that says why not.
   *
   * @throws {@link OkuruError}
   */
  orThrow(): this {
    if (this.status === 'accepted') return this
    const refused = this.recipients.find((recipient) => recipient.status !== 'accepted')
    throw this.error ?? refused?.error ?? new OkuruError('protocol.closed', 'no reply came', 'after the content')
  }

  /** What `JSON.stringify` shows. */
  toJSON(): object {
    const { index, status, queueId, progress, roundTrips, from } = this
    const said = (reply: Reply | undefined) => reply && { code: reply.code, enhanced: reply.enhanced, text: reply.text }
    return {
      index,
      status,
      queueId,
      progress,
      roundTrips,
      from,
      reply: said(this.reply),
      error: this.error,
      recipients: this.recipients.map(({ address, status, reply, error }) => ({ address, status, reply: said(reply), error })),
    }
  }

  #read(): Contents {
    if (this.#contents instanceof Uint8Array) this.#contents = readContents(new Reader(this.#contents))
    return this.#contents
  }
}

function readContents(packed: Reader): Contents {
  packed.number() // the message, by the number of the engine
  return {
    status: STATUSES[packed.octet()] ?? 'unknown',
    progress: PROGRESS[packed.octet()] ?? 'queued',
    roundTrips: packed.count(),
    queueId: packed.optionalText(),
    reply: packed.flag() ? readReply(packed) : undefined,
    error: packed.flag() ? readError(packed) : undefined,
    from: packed.text(),
    recipients: packed.list(readRecipient),
  }
}

function readRecipient(packed: Reader): RecipientOutcome {
  const address = packed.text()
  // No recipient is of the status in between.
  const status = (STATUSES[packed.octet()] ?? 'unknown') as RecipientStatus
  const reply = packed.flag() ? readReply(packed) : undefined
  return { address, status, reply, error: packed.flag() ? readError(packed) : undefined }
}

/** A reply that was packed. */
export function readReply(packed: Reader): Reply {
  const code = packed.count()
  const enhanced = packed.optionalText()
  const lines = packed.sized().rest((packed) => packed.text())
  const text = lines.filter((line) => line !== '').join(' ')
  return { code, enhanced, lines, text, raw: packed.bytes().slice() }
}

/** The outcome of a message that no machine was given, or took. */
export function failed(index: number, from: string, to: readonly string[], status: RecipientStatus, error: OkuruError): Outcome {
  const recipients = to.map((address) => ({ address, status, reply: undefined, error }))
  const contents = { status, progress: 'queued', roundTrips: 0, queueId: undefined, reply: undefined, error, from, recipients } as const
  return new Outcome(index, contents)
}
