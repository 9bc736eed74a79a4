import { usage } from './error.js'

/** The chunks of a message: texts, which go out as UTF-8, or octets. */
export type Chunks = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>

/**
 * A message as it is, with its header: a text (which goes out as UTF-8), octets, a Node.js stream, a web stream, a Blob, or anything
 * else that gives chunks.
 */
export type Raw = string | Uint8Array | ReadableStream<Uint8Array | string> | Blob | Chunks

/** A content that the driver holds, or gets, and the engine asks for. */
export interface Source {
  /** Octets, if that is known. */
  readonly size: number | undefined
  /** Whether it can be read again from its beginning. */
  readonly isRewindable: boolean
  /** What comes at `offset`: as much as is at hand, or nothing at the end. What stands before is not wanted any more. */
  read(offset: number): Uint8Array | Promise<Uint8Array>
  /** A range of what was read. */
  range(begin: number, end: number): Uint8Array[]
  /** The beginning, up to the end of the header or beyond. To be asked for before anything is read. */
  head(): Promise<Uint8Array>
  /** It is not wanted any more. */
  close(): void
}

/** Where a part of a content begins and ends, in octets. */
export type Range = readonly [begin: number, end: number]

/** No header is longer than this, as far as it is looked at. */
export const LONGEST_HEADER = 256 << 10

/** So much of a whole content is handed over at once. */
const AT_ONCE = 1 << 20

const encoder = new TextEncoder()

/** What gives the content of a message. */
export function open(raw: Raw): Source {
  if (raw instanceof Uint8Array) return new Whole(raw)
  if (typeof Blob !== 'undefined' && raw instanceof Blob) return new OfBlob(raw)
  if (typeof raw === 'object' && raw !== null) {
    if (Symbol.asyncIterator in raw) return new Stream((raw as AsyncIterable<string | Uint8Array>)[Symbol.asyncIterator]())
    if (Symbol.iterator in raw) return new Stream((raw as Iterable<string | Uint8Array>)[Symbol.iterator]())
    if ('getReader' in raw) return new Stream(chunksOf(raw as unknown as ReadableStream<Uint8Array | string>))
  }
  throw usage('raw is a text, octets, a stream, a Blob, or what gives chunks')
}

class Whole implements Source {
  readonly #bytes: Uint8Array
  readonly isRewindable = true

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get size(): number {
    return this.#bytes.length
  }

  read(offset: number): Uint8Array {
    return this.#bytes.subarray(offset, offset + AT_ONCE)
  }

  range(begin: number, end: number): Uint8Array[] {
    return [this.#bytes.subarray(begin, end)]
  }

  async head(): Promise<Uint8Array> {
    return this.#bytes.subarray(0, LONGEST_HEADER)
  }

  close(): void {}
}

/** Chunks that were read and may still be written. */
class Window {
  #chunks: { begin: number; bytes: Uint8Array }[] = []

  get end(): number {
    const last = this.#chunks.at(-1)
    return last === undefined ? 0 : last.begin + last.bytes.length
  }

  push(begin: number, bytes: Uint8Array): void {
    this.#chunks.push({ begin, bytes })
  }

  /** Lets go of what stands before `offset`, and gives what stands behind it. */
  from(offset: number): Uint8Array | undefined {
    this.#chunks = this.#chunks.filter(({ begin, bytes }) => begin + bytes.length > offset)
    const next = this.#chunks.find(({ begin }) => begin <= offset)
    return next?.bytes.subarray(offset - next.begin)
  }

  range(begin: number, end: number): Uint8Array[] {
    const pieces: Uint8Array[] = []
    for (const chunk of this.#chunks) {
      const piece = chunk.bytes.subarray(Math.max(begin - chunk.begin, 0), Math.max(end - chunk.begin, 0))
      if (piece.length > 0) pieces.push(piece)
    }
    return pieces
  }
}

class OfBlob implements Source {
  readonly #blob: Blob
  readonly #window = new Window()
  readonly isRewindable = true

  constructor(blob: Blob) {
    this.#blob = blob
  }

  get size(): number {
    return this.#blob.size
  }

  read(offset: number): Uint8Array | Promise<Uint8Array> {
    return this.#window.from(offset) ?? this.#fetch(offset)
  }

  range(begin: number, end: number): Uint8Array[] {
    return this.#window.range(begin, end)
  }

  async head(): Promise<Uint8Array> {
    return (await this.read(0)).subarray(0, LONGEST_HEADER)
  }

  close(): void {}

  async #fetch(offset: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(await this.#blob.slice(offset, offset + AT_ONCE).arrayBuffer())
    if (bytes.length > 0) this.#window.push(offset, bytes)
    return bytes
  }
}

/** What comes chunk by chunk, and once. */
class Stream implements Source {
  readonly size = undefined
  readonly isRewindable = false
  readonly #chunks: Iterator<string | Uint8Array> | AsyncIterator<string | Uint8Array>
  readonly #window = new Window()
  #length = 0
  #isAtEnd = false

  constructor(chunks: Iterator<string | Uint8Array> | AsyncIterator<string | Uint8Array>) {
    this.#chunks = chunks
  }

  read(offset: number): Uint8Array | Promise<Uint8Array> {
    return this.#window.from(offset) ?? this.#next()
  }

  range(begin: number, end: number): Uint8Array[] {
    return this.#window.range(begin, end)
  }

  async head(): Promise<Uint8Array> {
    let head = new Uint8Array(0)
    while (head.length < LONGEST_HEADER && !endsHeader(head)) {
      const chunk = await this.#next()
      if (chunk.length === 0) break
      head = joined([head, chunk])
    }
    return head
  }

  close(): void {
    if (this.#isAtEnd) return
    this.#isAtEnd = true
    // Whoever gives the chunks is told that no more are wanted; what they make of it is of no interest.
    Promise.resolve(this.#chunks.return?.()).catch(() => {})
  }

  async #next(): Promise<Uint8Array> {
    while (!this.#isAtEnd) {
      const { done, value } = await this.#chunks.next()
      if (done === true) {
        this.#isAtEnd = true
        break
      }
      const bytes = typeof value === 'string' ? encoder.encode(value) : value
      if (!(bytes instanceof Uint8Array)) throw new TypeError('a chunk is a text or octets')
      if (bytes.length === 0) continue
      this.#window.push(this.#length, bytes)
      this.#length += bytes.length
      return bytes
    }
    return new Uint8Array(0)
  }
}

/** The same without what stands in these ranges. */
export function without(source: Source, hidden: readonly Range[]): Source {
  return new Stream(keptOf(source, hidden))
}

async function* keptOf(source: Source, hidden: readonly Range[]): AsyncGenerator<Uint8Array> {
  try {
    for (let offset = 0; ; ) {
      const chunk = await source.read(offset)
      if (chunk.length === 0) return
      yield* kept(chunk, offset, hidden)
      offset += chunk.length
    }
  } finally {
    source.close()
  }
}

/** What of `bytes`, which begin at `offset`, does not stand in these ranges. */
export function kept(bytes: Uint8Array, offset: number, hidden: readonly Range[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let at = 0
  for (const [begin, end] of hidden) {
    const from = Math.min(Math.max(begin - offset, at), bytes.length)
    if (from > at) pieces.push(bytes.subarray(at, from))
    at = Math.min(Math.max(end - offset, at), bytes.length)
  }
  if (at < bytes.length) pieces.push(bytes.subarray(at))
  return pieces
}

/** One piece. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/** Whether there is an empty line. */
function endsHeader(head: Uint8Array): boolean {
  const LF = 10
  for (let at = head.indexOf(LF); at >= 0; at = head.indexOf(LF, at + 1)) {
    if (head[at + 1] === LF || (head[at + 1] === 13 && head[at + 2] === LF)) return true
  }
  return false
}

async function* chunksOf(stream: ReadableStream<Uint8Array | string>): AsyncGenerator<Uint8Array | string> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel()
  }
}
