import type { Dialing, HostErrorCode, Link, Peer } from './host.js'

/** What a runtime with promises has for a socket. */
export interface Wire {
  /** The address that it comes from, or empty. */
  readonly local: string
  /** What comes next; nothing at the end. */
  read(): Promise<Uint8Array | undefined>
  write(bytes: Uint8Array): Promise<void>
  /** The same inside TLS. Nothing is being read or written meanwhile. */
  startTls(serverName: string): Promise<Wire>
  close(): void
}

/** An error with a code of the catalogue. */
export class HostError extends Error {
  constructor(
    readonly code: HostErrorCode,
    message: string,
  ) {
    super(message)
  }
}

/** Pieces are joined up to this size: each write is a promise of its own. */
const JOINED = 64 << 10

/** A connection over a {@link Wire}. */
export class WireLink implements Link {
  readonly #peer: Peer
  #wire: Wire | undefined
  #writing: Promise<unknown> = Promise.resolve()
  #tls: { serverName: string } | undefined
  #isOver = false

  constructor(opening: Promise<Wire>, dialing: Dialing, peer: Peer) {
    this.#peer = peer
    const late = setTimeout(() => {
      this.#fail(new HostError('timeout.connect', `no connection within ${dialing.timeout} ms`), 'timeout.connect')
    }, dialing.timeout)
    opening
      .finally(() => clearTimeout(late))
      .then(
        (wire) => this.#run(wire),
        (error: unknown) => this.#fail(error, 'connect.failed'),
      )
  }

  write(pieces: readonly Uint8Array[]): void {
    for (const bytes of joined(pieces)) {
      this.#writing = this.#writing
        .then(() => this.#wire?.write(bytes))
        .then(
          () => {
            if (!this.#isOver) this.#peer.written(bytes.length)
          },
          (error: unknown) => this.#fail(error, 'connect.lost'),
        )
    }
  }

  startTls(serverName: string): void {
    this.#tls = { serverName }
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    const wire = this.#wire
    // A QUIT that was written is on its way.
    void this.#writing.then(() => wire?.close())
  }

  async #run(wire: Wire): Promise<void> {
    this.#wire = wire
    if (this.#isOver) return wire.close()
    this.#peer.opened(wire.local)
    try {
      while (!this.#isOver) {
        // It is asked for by what comes, or at the very beginning: nothing is being read now.
        if (this.#tls !== undefined) await this.#secure(this.#tls.serverName)
        else {
          const bytes = await this.#wire.read()
          if (this.#isOver) return
          if (bytes === undefined) return this.#peer.ended()
          this.#peer.received(bytes)
        }
      }
    } catch (error) {
      this.#fail(error, 'connect.lost')
    }
  }

  async #secure(serverName: string): Promise<void> {
    this.#tls = undefined
    await this.#writing
    if (this.#wire === undefined || this.#isOver) return
    try {
      this.#wire = await this.#wire.startTls(serverName)
    } catch (error) {
      return this.#fail(error, 'tls.handshake')
    }
    if (this.#isOver) this.#wire.close()
    else this.#peer.tlsStarted(true)
  }

  #fail(error: unknown, usual: HostErrorCode): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#wire?.close()
    const what = error instanceof Error ? error.message : String(error)
    this.#peer.failed(error instanceof HostError ? error.code : usual, what)
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array[] {
  const all: Uint8Array[] = []
  let small: Uint8Array[] = []
  let length = 0
  const flush = () => {
    if (small.length === 0) return
    const [first] = small
    const whole = small.length === 1 && first !== undefined ? first : new Uint8Array(length)
    if (small.length > 1) {
      let at = 0
      for (const piece of small) {
        whole.set(piece, at)
        at += piece.length
      }
    }
    all.push(whole)
    small = []
    length = 0
  }
  for (const piece of pieces) {
    if (piece.length >= JOINED) {
      flush()
      all.push(piece)
      continue
    }
    small.push(piece)
    length += piece.length
    if (length >= JOINED) flush()
  }
  flush()
  return all
}
