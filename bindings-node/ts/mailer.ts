import { Driver } from './driver.js'
import { OkuruError, usage } from './error.js'
import type { Event } from './event.js'
import type { Message } from './message.js'
import { packConnectionOptions, packOptions, type ClientOptions, type CommonOptions, type DirectOptions, type MailerOptions } from './options.js'
import type { Outcome } from './outcome.js'
import { platform, type Platform } from './platform.js'
import { SendMany, type Messages } from './send-many.js'

/** What a server offers. */
export interface Capabilities {
  /** What it calls itself. */
  name: string
  /** The lines of its reply to EHLO: `PIPELINING`, `SIZE 35882577`, ... */
  keywords: string[]
}

/**
 * Sends messages: over as many connections as it may use, by one relay or several, or directly to the servers of each recipient.
 *
 * ```ts
 * await using mailer = new Mailer({ server: ['smtp://one.example.com', 'smtp://two.example.com'], connections: 4, rate: '20/s' })
 * for await (const outcome of mailer.sendMany(messages)) console.log(outcome.index, outcome.status)
 * ```
 *
 * A process whose mailer has nothing to do can end; what is on its way keeps it alive.
 */
export class Mailer implements AsyncDisposable {
  readonly #platform: Platform
  readonly #options: MailerOptions
  readonly #driver: Driver

  /**
   * Nothing is connected before there is something to send.
   *
   * @throws {@link OkuruError} if the options make no sense.
   */
  constructor(options: MailerOptions) {
    if (typeof options !== 'object' || options === null) throw usage('the options are an object')
    this.#platform = platform()
    this.#options = options
    const { Engine } = this.#platform.module
    const packed = packOptions(options, this.#platform.host.hostName())
    this.#driver = new Driver(() => Engine.mailer(packed, Math.random()), this.#platform.host, driverOptions(options, this.#platform))
  }

  /** Delivers to the servers of each recipient's domain, as the DNS names them. */
  static direct(options: DirectOptions = {}): Mailer {
    return new Mailer({ ...options, direct: true })
  }

  /**
   * Sends a message, and waits for its outcome. There always is one, for each recipient: that somebody refuses it is an outcome, not
   * an exception. `outcome.orThrow()` makes it one.
   *
   * @throws {@link OkuruError} of the family `usage` if the message is none.
   */
  async send(message: Message): Promise<Outcome> {
    for await (const outcome of this.sendMany([message])) {
      if (outcome.error?.code === 'usage') throw outcome.error
      return outcome
    }
    throw new OkuruError('cancelled', 'the mailer has been stopped')
  }

  /**
   * Sends messages as they come, and gives their outcomes as they come, in no order: `outcome.index` is the number of the message,
   * from 0. No more messages are taken than keep the connections busy.
   */
  sendMany(messages: Messages, { signal }: { signal?: AbortSignal } = {}): SendMany {
    return new SendMany(this.#driver, this.#platform.module, messages, signal)
  }

  /** Connects to the server, logs in and leaves. Only where there is one server. */
  async verify({ signal }: { signal?: AbortSignal } = {}): Promise<Capabilities> {
    return verify(this.#platform, this.#options, signal)
  }

  /** Sends what there is, then says QUIT on every connection. */
  close(): Promise<void> {
    return this.#driver.finish()
  }

  /** Begins no message any more: what is on its way is finished, the rest deferred; then QUIT. */
  stop(): Promise<void> {
    return this.#driver.stop()
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Sends messages by one server.
 *
 * ```ts
 * await using client = new Client({ server: 'smtp://mail.example.com', auth: { user, password }, connections: 4 })
 * const outcome = await client.send({ raw, from: 'me@example.com', to: 'you@example.org' })
 * ```
 */
export class Client extends Mailer {
  /** The server's URL, or that and what else there is to be said. */
  constructor(options: string | ClientOptions) {
    super(typeof options === 'string' ? { server: options } : options)
  }
}

/**
 * Sends one message by one server, and leaves.
 *
 * ```ts
 * const outcome = await send({ raw, from, to }, { server: 'smtp://user:password@mail.example.com' })
 * ```
 *
 * @throws {@link OkuruError} of the family `usage`.
 */
export async function send(message: Message, options: string | ClientOptions): Promise<Outcome> {
  const client = new Client(options)
  try {
    return await client.send(message)
  } finally {
    await client.close()
  }
}

/** Which engine is at work: the native addon, or WebAssembly. */
export function engine(): 'native' | 'wasm' {
  return platform().engine
}

function driverOptions(options: MailerOptions, { host }: Platform) {
  const { onEvent, tlsOptions, auth } = options satisfies CommonOptions
  const { resolve, nameServers } = options as DirectOptions
  const token = auth?.token
  return {
    onEvent,
    tls: tlsOptions ?? {},
    token: typeof token === 'function' ? token : undefined,
    resolve: resolve ?? host.resolver?.(nameServers),
  }
}

async function verify(platform: Platform, options: MailerOptions, signal: AbortSignal | undefined): Promise<Capabilities> {
  const packed = packConnectionOptions(options, platform.host.hostName())
  let offered: Capabilities = { name: '', keywords: [] }
  let failure: OkuruError | undefined
  let isReady = false
  const onEvent = (event: Event) => {
    if (event.type === 'capabilities') offered = { name: event.name, keywords: event.keywords }
    else if (event.type === 'ready') isReady = true
    else if (event.type === 'closed') failure = event.error
  }
  const { Engine } = platform.module
  const driver = new Driver(() => Engine.connection(packed), platform.host, { ...driverOptions(options, platform), onEvent })
  const cancel = () => void driver.fail('cancelled', 'it was cancelled')
  signal?.addEventListener('abort', cancel)
  if (signal?.aborted === true) cancel()
  await driver.finish()
  signal?.removeEventListener('abort', cancel)
  if (isReady) return offered
  throw failure ?? new OkuruError('protocol.closed', 'the server has closed the connection')
}
