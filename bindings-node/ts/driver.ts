import type { Engine } from './engine/engine.js'
import { Input } from './engine/input.js'
import { Reader } from './engine/packing.js'
import { OkuruError, readError, thrownByEngine } from './error.js'
import { readEvent, type Event } from './event.js'
import type { Dialing, Host, Link, Place } from './host/host.js'
import { addresses, packMessage, type Prepared } from './message.js'
import type { DirectOptions, TlsOptions } from './options.js'
import { failed, Outcome } from './outcome.js'

/** A message on its way. */
export interface Parcel {
  /** Which of its call. */
  readonly index: number
  readonly message: Prepared
  /** Nobody wants it to be sent any more. */
  isCancelled: boolean
  /** What it is called by the engine, once that has it. */
  number: number | undefined
  settle(outcome: Outcome): void
}

/** Gives messages when there is room for them. */
export interface Feed {
  /** The next, if it is at hand. A feed that has none says so to the driver when it has. */
  next(): Parcel | undefined
  /** Nothing more will come. */
  isOver(): boolean
}

/** What a driver needs to know beside what the engine does. */
export interface DriverOptions {
  tls: TlsOptions
  token: (() => string | Promise<string>) | undefined
  onEvent: ((event: Event) => void) | undefined
  resolve: DirectOptions['resolve']
}

/** So many messages go to the engine in one step. */
const MOST_AT_ONCE = 128

/** And about so many octets. */
const ENOUGH = 256 << 10

/** The longest that a timer of JavaScript can wait. */
const LONGEST = 2 ** 31 - 1

/**
 * One loop: takes what has come to the engine, does what it says, and waits. Whatever is no socket, TLS, DNS, clock or randomness is
 * done by the engine.
 */
export class Driver {
  readonly #engine: Engine
  readonly #host: Host
  readonly #options: DriverOptions
  readonly #input = new Input()
  readonly #dialing: Dialing
  readonly #links = new Map<number, Link>()
  readonly #parcels = new Map<number, Parcel>()
  readonly #feeds = new Set<Feed>()
  #next = 0
  #wantsMessage = true
  #isTurning = false
  /** The engine has been given something beside its records. */
  #isDue = false
  #isScheduled = false
  #isBusy = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #deadline = Number.POSITIVE_INFINITY
  #end: (() => void) | undefined
  /** Resolved when nothing is left to be done. */
  readonly ended: Promise<void>
  #isOver = false
  #isStopping = false

  constructor(make: () => Engine, host: Host, options: DriverOptions) {
    try {
      this.#engine = make()
    } catch (error) {
      throw thrownByEngine(error)
    }
    this.#host = host
    this.#options = options
    this.#dialing = { timeout: 30_000, source: undefined, tls: options.tls }
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    if (options.onEvent !== undefined) this.#input.observe(true)
  }

  /** Whether it takes no messages any more. */
  get isOver(): boolean {
    return this.#isOver || this.#isStopping
  }

  /** Whether there is nothing that it waits for. */
  get isIdle(): boolean {
    return this.#parcels.size === 0 && this.#feeds.size === 0
  }

  /** Takes messages from `feed` until it is over. */
  add(feed: Feed): void {
    this.#feeds.add(feed)
    this.schedule()
  }

  /** Looks after its feeds soon. */
  schedule(): void {
    if (this.#isScheduled || this.#isTurning) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#turn()
    })
  }

  /** The user cancels a message. */
  cancel(parcel: Parcel): void {
    if (parcel.isCancelled) return
    parcel.isCancelled = true
    if (parcel.number !== undefined) this.#input.cancel(parcel.number)
    this.schedule()
  }

  /** Asks the server something, by one connection alone. */
  command(verb: string, argument?: string): void {
    this.#input.command(verb, argument)
    this.schedule()
  }

  /** Sends what there is, then ends every session. */
  finish(): Promise<void> {
    this.#isStopping = true
    this.#input.finish()
    this.schedule()
    return this.ended
  }

  /** Begins no message any more, finishes what is on its way, and ends every session. */
  stop(): Promise<void> {
    this.#isStopping = true
    this.#input.stop()
    this.schedule()
    return this.ended
  }

  /** Gives up every connection. */
  fail(code: 'cancelled', what: string): void {
    for (const connection of this.#links.keys()) this.#input.failed(connection, code, what)
    this.schedule()
  }

  #turn(): void {
    if (this.#isTurning || this.#isOver) return
    this.#isTurning = true
    try {
      do {
        this.#isDue = false
        const taken = this.#take()
        this.#obey(this.#engine.step(performance.now(), this.#input.take()), taken)
      } while (!this.#isOver && (this.#isDue || !this.#input.isEmpty || this.#hasMore()))
    } finally {
      this.#isTurning = false
    }
    this.#keepAlive()
    this.#setTimer()
  }

  /** Whether a feed has something that is wanted. */
  #hasMore(): boolean {
    return this.#wantsMessage && this.#feeds.size > 0 && this.#refill()
  }

  /** What was taken from feeds and is for the next step. */
  #waiting: Parcel[] = []

  #refill(): boolean {
    if (this.#waiting.length > 0) return true
    for (const feed of this.#feeds) {
      let parcel = feed.next()
      while (parcel !== undefined) {
        this.#waiting.push(parcel)
        if (this.#waiting.length >= MOST_AT_ONCE) return true
        parcel = feed.next()
      }
      if (feed.isOver()) this.#feeds.delete(feed)
    }
    return this.#waiting.length > 0
  }

  /** Packs messages for the next step. */
  #take(): Parcel[] {
    if (!(this.#wantsMessage || this.#isStopping) || !this.#refill()) return []
    const taken = this.#waiting
    this.#waiting = []
    let count = 0
    while (count < taken.length && this.#input.length < ENOUGH) {
      const parcel = taken[count++]
      if (parcel !== undefined) packMessage(parcel.message, this.#input)
    }
    this.#waiting = taken.splice(count)
    return taken
  }

  /** Does what the engine says. `taken` are the messages that it was given. */
  #obey(output: Uint8Array, taken: readonly Parcel[]): void {
    const packed = new Reader(output)
    let refused: Set<number> | undefined
    let isNumbered = taken.length === 0
    let outcomes: { bytes: Uint8Array; begin: number } | undefined
    while (!packed.isAtEnd) {
      const record = packed.octet()
      if (record === 1) {
        refused ??= new Set()
        const place = packed.count()
        refused.add(place)
        const error = readError(packed)
        const parcel = taken[place]
        if (parcel !== undefined) refuse(parcel, error)
        continue
      }
      if (!isNumbered && record !== 13) {
        isNumbered = true
        this.#number(taken, refused)
      }
      switch (record) {
        case 2:
          this.#write(packed)
          break
        case 3:
          this.#open(packed)
          break
        case 4: {
          const link = this.#links.get(packed.number())
          const name = packed.text()
          const verify = packed.flag()
          link?.startTls(name, verify)
          break
        }
        case 5:
          void this.#getToken(packed.number())
          packed.text()
          break
        case 6: {
          const connection = packed.number()
          const link = this.#links.get(connection)
          this.#links.delete(connection)
          link?.close()
          break
        }
        case 7:
          void this.#resolve(packed)
          break
        case 8:
          this.#feed(packed.number(), packed.number(), packed.number())
          break
        case 9: {
          // One copy for all of a step: what else is in it need not be kept as long as they are.
          outcomes ??= { bytes: output.slice(packed.offset), begin: packed.offset }
          const begin = packed.offset + 4 - outcomes.begin
          const end = begin + packed.count()
          const number = packed.number()
          packed.skipTo(outcomes.begin + end)
          this.#settle(outcomes.bytes.subarray(begin, end), number)
          break
        }
        case 10: {
          const event = packed.sized()
          this.#options.onEvent?.(readEvent(event))
          break
        }
        case 11: {
          const deadline = packed.number()
          this.#deadline = Number.isNaN(deadline) ? Number.POSITIVE_INFINITY : deadline
          this.#wantsMessage = packed.flag()
          break
        }
        case 12:
          this.#over()
          break
        case 13:
          this.#dialing.timeout = packed.number()
          this.#dialing.source = packed.optionalText()
          break
        default:
          throw new TypeError(`the engine has said ${record}, which is no record`)
      }
    }
  }

  /** Messages get their numbers in the order in which they were submitted. */
  #number(taken: readonly Parcel[], refused: ReadonlySet<number> | undefined): void {
    for (const [place, parcel] of taken.entries()) {
      if (refused?.has(place) === true) continue
      parcel.number = this.#next++
      this.#parcels.set(parcel.number, parcel)
      if (parcel.isCancelled) this.#input.cancel(parcel.number)
    }
  }

  #write(packed: Reader): void {
    const link = this.#links.get(packed.number())
    const pieces: Uint8Array[] = []
    for (let count = packed.count(); count > 0; count--) {
      if (packed.octet() === 0) {
        pieces.push(packed.bytes())
        continue
      }
      const source = this.#parcels.get(packed.number())?.message.source
      const [begin, end] = [packed.number(), packed.number()]
      if (source !== undefined) pieces.push(...source.range(begin, end))
    }
    link?.write(pieces)
  }

  #open(packed: Reader): void {
    const connection = packed.number()
    packed.text() // the server
    const place: Place =
      packed.octet() === 0
        ? { host: packed.text(), port: packed.count(), addresses: packed.list((packed) => packed.text()) }
        : { path: packed.text() }
    const tell = (say: (input: Input) => void) => {
      if (!this.#links.has(connection)) return
      say(this.#input)
      this.#turn()
    }
    const link = this.#host.connect(place, this.#dialing, {
      opened: (local) => tell((input) => input.opened(connection, local, crypto.getRandomValues(new Uint8Array(24)))),
      received: (bytes) => tell((input) => input.receive(connection, bytes)),
      written: (octets) => tell((input) => input.written(connection, octets)),
      ended: () => tell((input) => input.end(connection)),
      tlsStarted: (verified, binding) => tell((input) => input.tlsStarted(connection, verified, binding)),
      failed: (code, what) => tell((input) => input.failed(connection, code, what)),
    })
    this.#links.set(connection, link)
  }

  async #getToken(connection: number): Promise<void> {
    const { token } = this.#options
    try {
      if (token === undefined) throw new TypeError('nobody gives one')
      this.#input.token(connection, await token())
    } catch (error) {
      this.#input.failed(connection, 'auth.token', `no token could be had: ${text(error)}`)
    }
    this.schedule()
  }

  async #resolve(packed: Reader): Promise<void> {
    const lookUp = packed.number()
    const type = (['MX', 'A', 'AAAA'] as const)[packed.octet()] ?? 'MX'
    const name = packed.text()
    const answer = await this.#options.resolve?.(name, type)
    this.#input.dnsAnswer(lookUp, answer ?? { records: { kind: 'failed' } })
    this.schedule()
  }

  /** Hands in content that the engine has asked for. */
  #feed(connection: number, message: number, offset: number): void {
    const source = this.#parcels.get(message)?.message.source
    if (source === undefined) return
    const take = (bytes: Uint8Array) => {
      if (bytes.length > 0) this.#engine.content(performance.now(), connection, message, bytes)
      else this.#input.contentEnd(connection, message)
    }
    const later = (say: () => void) => {
      if (this.#isOver || !this.#parcels.has(message)) return
      say()
      this.#turn()
    }
    try {
      const bytes = source.read(offset)
      if (bytes instanceof Uint8Array) {
        take(bytes)
        this.#isDue = true
      } else {
        bytes.then(
          (bytes) => later(() => take(bytes)),
          (error) => later(() => this.#input.contentFailed(connection, message, 'message.unreadable', text(error))),
        )
      }
    } catch (error) {
      this.#input.contentFailed(connection, message, 'message.unreadable', text(error))
    }
  }

  #settle(contents: Uint8Array, number: number): void {
    const parcel = this.#parcels.get(number)
    if (parcel === undefined) return
    this.#parcels.delete(number)
    parcel.message.source?.close()
    parcel.settle(new Outcome(parcel.index, contents))
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
    const error = new OkuruError('cancelled', 'the mailer has been stopped')
    for (const feed of this.#feeds) {
      for (let parcel = feed.next(); parcel !== undefined; parcel = feed.next()) this.#waiting.push(parcel)
    }
    this.#feeds.clear()
    for (const parcel of this.#waiting.splice(0)) refuse(parcel, error, 'deferred')
    this.#engine.free?.()
    this.#end?.()
  }

  #keepAlive(): void {
    const isBusy = !this.#isOver && (this.#parcels.size > 0 || this.#waiting.length > 0 || this.#isStopping)
    if (isBusy === this.#isBusy) return
    this.#isBusy = isBusy
    this.#host.keepAlive?.(isBusy)
  }

  /** A timer that is there already and comes too early is left as it is: it looks again. */
  #setTimer(): void {
    if (this.#isOver || this.#deadline >= this.#timerAt) return
    clearTimeout(this.#timer)
    this.#timerAt = this.#deadline
    const wait = Math.min(Math.max(this.#deadline - performance.now(), 0), LONGEST)
    this.#timer = setTimeout(() => {
      this.#timerAt = Number.POSITIVE_INFINITY
      if (performance.now() >= this.#deadline) {
        this.#input.deadlinePassed()
        this.#turn()
      } else this.#setTimer()
    }, Math.ceil(wait))
    unref(this.#timer)
  }
}

/** The process need not wait for it: where there is something to do, its host says so. */
function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') timer.unref()
}

function refuse(parcel: Parcel, error: OkuruError, status: 'rejected' | 'deferred' = 'rejected'): void {
  const { from, to } = addresses(parcel.message)
  parcel.message.source?.close()
  parcel.settle(failed(parcel.index, from, to, status, error))
}

/** What an error says, for one of ours. */
function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
