/** Plain values in a row of octets, as `engine/src/packing.rs` has them. */

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Longer texts are left to the runtime. */
const SHORT = 48

/** Appends values. What was taken is overwritten by what is written next. */
export class Writer {
  #bytes = new Uint8Array(4096)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  get isEmpty(): boolean {
    return this.#length === 0
  }

  get length(): number {
    return this.#length
  }

  /** What was written, until something else is. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    return taken
  }

  octet(octet: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = octet
  }

  flag(flag: boolean): void {
    this.octet(flag ? 1 : 0)
  }

  count(count: number): void {
    this.#room(4)
    this.#view.setUint32(this.#length, count, true)
    this.#length += 4
  }

  number(number: number): void {
    this.#room(8)
    this.#view.setFloat64(this.#length, number, true)
    this.#length += 8
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  bytes(bytes: Uint8Array): void {
    this.count(bytes.length)
    this.raw(bytes)
  }

  text(text: string): void {
    const most = text.length * 3
    this.#room(4 + most)
    const begin = this.#length + 4
    const bytes = this.#bytes
    let written = 0
    if (text.length <= SHORT) {
      while (written < text.length) {
        const unit = text.charCodeAt(written)
        if (unit > 0x7f) break
        bytes[begin + written++] = unit
      }
    }
    if (written < text.length) written = encoder.encodeInto(text, bytes.subarray(begin)).written
    this.#view.setUint32(this.#length, written, true)
    this.#length = begin + written
  }

  optionalText(text: string | undefined): void {
    this.flag(text !== undefined)
    if (text !== undefined) this.text(text)
  }

  #room(octets: number): void {
    const needed = this.#length + octets
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Takes values from the front. */
export class Reader {
  readonly #packed: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(packed: Uint8Array) {
    this.#packed = packed
    this.#view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#packed.length
  }

  /** How far it has come. */
  get offset(): number {
    return this.#at
  }

  skipTo(offset: number): void {
    this.#at = offset
  }

  octet(): number {
    return this.#view.getUint8(this.#at++)
  }

  flag(): boolean {
    return this.octet() !== 0
  }

  count(): number {
    const count = this.#view.getUint32(this.#at, true)
    this.#at += 4
    return count
  }

  number(): number {
    const number = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return number
  }

  /** A part of what was packed, not a copy. */
  bytes(): Uint8Array {
    const length = this.count()
    const bytes = this.#packed.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }

  text(): string {
    return decoder.decode(this.bytes())
  }

  optionalText(): string | undefined {
    return this.flag() ? this.text() : undefined
  }

  /** What was packed behind a count of its octets. */
  sized(): Reader {
    return new Reader(this.bytes())
  }

  list<T>(read: (reader: Reader) => T): T[] {
    const values: T[] = new Array(this.count())
    for (let index = 0; index < values.length; index++) values[index] = read(this)
    return values
  }

  /** Values until the end. */
  rest<T>(read: (reader: Reader) => T): T[] {
    const values: T[] = []
    while (!this.isAtEnd) values.push(read(this))
    return values
  }
}
