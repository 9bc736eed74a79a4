import type { Driver, Feed, Parcel } from './driver.js'
import type { EngineModule } from './engine/engine.js'
import { OkuruError } from './error.js'
import { addresses, prepare, type Message, type Prepared } from './message.js'
import { failed, type Outcome } from './outcome.js'

/** Messages, as they come. */
export type Messages = Iterable<Message> | AsyncIterable<Message>

/** So many messages are kept at hand, where they don't come at once. */
const AT_HAND = 64

/** Nothing more is sent while so many outcomes have not been asked for. */
const UNTOLD = 4096

interface Waiter {
  resolve(result: IteratorResult<Outcome, undefined>): void
  reject(error: unknown): void
}

/**
 * Outcomes as they come, in no order. No more messages are taken than keep the connections busy, and none while many outcomes have
 * not been asked for. Whoever leaves the loop early cancels what has not been sent.
 */
export class SendMany implements AsyncIterableIterator<Outcome, undefined> {
  readonly #driver: Driver
  readonly #module: EngineModule
  readonly #messages: Iterator<Message> | AsyncIterator<Message>
  readonly #isAsync: boolean
  readonly #signal: AbortSignal | undefined
  /** Messages that the driver may have. */
  #ready: Parcel[] = []
  /** Messages whose outcome has not come. */
  readonly #underway = new Set<Parcel>()
  /** Outcomes that nobody has asked for, from `#told` on. */
  #outcomes: Outcome[] = []
  #told = 0
  #waiters: Waiter[] = []
  #index = 0
  /** So many messages or headers are waited for. */
  #awaited = 0
  #isAsking = false
  #hasEnded = false
  #failure: { error: unknown } | undefined

  /** @internal */
  constructor(driver: Driver, module: EngineModule, messages: Messages, signal: AbortSignal | undefined) {
    this.#driver = driver
    this.#module = module
    this.#isAsync = Symbol.asyncIterator in messages
    this.#messages = Symbol.asyncIterator in messages ? messages[Symbol.asyncIterator]() : messages[Symbol.iterator]()
    this.#signal = signal
    signal?.addEventListener('abort', this.#stop)
    if (signal?.aborted === true) this.#stop()
    const feed: Feed = { next: () => this.#take(), isOver: () => this.#hasEnded && this.#ready.length === 0 && this.#awaited === 0 }
    driver.add(feed)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The next outcome. */
  next(): Promise<IteratorResult<Outcome, undefined>> {
    const outcome = this.#outcomes[this.#told]
    if (outcome === undefined) {
      return new Promise((resolve, reject) => {
        this.#waiters.push({ resolve, reject })
        this.#conclude()
      })
    }
    this.#told++
    if (this.#told === this.#outcomes.length) {
      this.#outcomes = []
      this.#told = 0
      this.#driver.schedule()
    }
    return Promise.resolve({ value: outcome, done: false })
  }

  /** Nobody wants to know the rest: what has not been sent is cancelled. */
  return(): Promise<IteratorResult<Outcome, undefined>> {
    this.#stop()
    return Promise.resolve({ value: undefined, done: true })
  }

  /** A message for the driver, if one is at hand. */
  #take(): Parcel | undefined {
    if (this.#outcomes.length - this.#told >= UNTOLD) return undefined
    const ready = this.#ready.shift()
    if (ready !== undefined) return ready
    if (this.#isAsync) void this.#ask()
    else this.#askAtOnce()
    return this.#ready.shift()
  }

  #askAtOnce(): void {
    while (!this.#hasEnded && this.#ready.length === 0 && this.#awaited < AT_HAND) {
      try {
        const result = (this.#messages as Iterator<Message>).next()
        if (result.done === true) this.#end()
        else this.#prepare(result.value)
      } catch (error) {
        this.#fail(error)
      }
    }
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      while (!this.#hasEnded && this.#ready.length + this.#awaited < AT_HAND) {
        const result = await this.#messages.next()
        if (result.done === true) this.#end()
        else this.#prepare(result.value)
        this.#driver.schedule()
      }
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#isAsking = false
    }
  }

  #prepare(message: Message): void {
    const index = this.#index++
    try {
      const prepared = prepare(this.#module, message)
      if (!(prepared instanceof Promise)) return this.#add(index, message, prepared)
      this.#awaited++
      prepared
        .then(
          (prepared) => this.#add(index, message, prepared),
          (error: unknown) => this.#refuse(index, message, error),
        )
        .finally(() => {
          this.#awaited--
          this.#driver.schedule()
          this.#conclude()
        })
    } catch (error) {
      this.#refuse(index, message, error)
    }
  }

  #add(index: number, { signal }: Message, message: Prepared): void {
    const cancel = () => this.#driver.cancel(parcel)
    const parcel: Parcel = {
      index,
      message,
      isCancelled: signal?.aborted === true || this.#signal?.aborted === true,
      number: undefined,
      settle: (outcome) => {
        signal?.removeEventListener('abort', cancel)
        this.#underway.delete(parcel)
        this.#tell(outcome)
      },
    }
    signal?.addEventListener('abort', cancel)
    this.#underway.add(parcel)
    this.#ready.push(parcel)
  }

  #refuse(index: number, message: Message | undefined, error: unknown): void {
    const reason = error instanceof OkuruError ? error : new OkuruError('message.unreadable', error instanceof Error ? error.message : String(error))
    const { from, to } = addresses(message?.envelope ?? message ?? {})
    this.#tell(failed(index, from, to, reason.code === 'message.unreadable' ? 'deferred' : 'rejected', reason))
  }

  #tell(outcome: Outcome): void {
    const waiter = this.#waiters.shift()
    if (waiter === undefined) this.#outcomes.push(outcome)
    else waiter.resolve({ value: outcome, done: false })
    this.#conclude()
  }

  #end(): void {
    this.#hasEnded = true
    this.#conclude()
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#end()
  }

  /** Tells whoever waits that nothing will come, if that is so. */
  #conclude(): void {
    if (!this.#hasEnded || this.#underway.size > 0 || this.#awaited > 0 || this.#outcomes.length > this.#told) return
    this.#signal?.removeEventListener('abort', this.#stop)
    for (const waiter of this.#waiters.splice(0)) {
      const failure = this.#failure
      this.#failure = undefined
      if (failure === undefined) waiter.resolve({ value: undefined, done: true })
      else waiter.reject(failure.error)
    }
  }

  readonly #stop = (): void => {
    if (!this.#hasEnded) {
      // Whoever gives the messages is told that no more are wanted; what they make of it is of no interest.
      void Promise.resolve(this.#messages.return?.()).catch(() => {})
      this.#end()
    }
    for (const parcel of this.#underway) this.#driver.cancel(parcel)
  }
}
