import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { ChannelBinding } from '../engine/input.js'
import type { Dialing, Host, HostErrorCode, Link, Peer, Place } from './host.js'
import { resolver } from './node-dns.js'

/** Sockets, TLS and the DNS of Node.js, which Bun has too. */
export const node: Host = {
  hostName: () => hostname(),
  connect: (place, dialing, peer) => new NodeLink(place, dialing, peer),
  resolver,
  keepAlive,
}

let held: ReturnType<typeof setInterval> | undefined
let holders = 0

/** Sockets let the process end; while somebody waits for an outcome, this does not. */
function keepAlive(isBusy: boolean): void {
  holders += isBusy ? 1 : -1
  if (isBusy) held ??= setInterval(() => {}, 2 ** 30)
  if (holders === 0) held?.unref()
  else held?.ref()
}

class NodeLink implements Link {
  readonly #peer: Peer
  readonly #dialing: Dialing
  readonly #timer: ReturnType<typeof setTimeout>
  #socket: Socket
  #isOpen = false
  #isOver = false
  /** Octets that the network has not taken, as far as is known. */
  #unwritten = 0
  /** Octets of which it is known that it has, and whose callbacks are still to come. */
  #told = 0

  constructor(place: Place, dialing: Dialing, peer: Peer) {
    this.#peer = peer
    this.#dialing = dialing
    this.#socket = dial(place, dialing)
    this.#timer = setTimeout(() => this.#fail('timeout.connect', `no connection within ${dialing.timeout} ms`), dialing.timeout)
    this.#timer.unref()
    this.#socket.unref()
    this.#socket.once('connect', () => {
      clearTimeout(this.#timer)
      this.#isOpen = true
      const { localAddress } = this.#socket
      peer.opened(localAddress ?? '')
    })
    this.#listen()
  }

  write(pieces: readonly Uint8Array[]): void {
    const socket = this.#socket
    let octets = 0
    if (pieces.length > 1) socket.cork()
    for (const [place, piece] of pieces.entries()) {
      octets += piece.length
      const isLast = place === pieces.length - 1
      // Whoever takes long should be seen to take something.
      if (piece.length < BIG && !isLast) {
        socket.write(piece)
        continue
      }
      const written = octets
      octets = 0
      this.#unwritten += written
      socket.write(piece, (error) => this.#wrote(written, error))
    }
    if (pieces.length > 1) socket.uncork()
    if (socket.writableLength === 0) this.#wroteAll()
  }

  startTls(serverName: string, verify: boolean): void {
    const plain = this.#socket
    plain.removeAllListeners()
    const { ca, cert, key } = this.#dialing.tls
    const list = ca === undefined ? undefined : [ca].flat().map(readable)
    let secure: TLSSocket
    try {
      secure = connectTls({
        socket: plain,
        ...(isIP(serverName) === 0 ? { servername: serverName } : { host: serverName }),
        ...(list && { ca: list }),
        ...(cert !== undefined && { cert: readable(cert) }),
        ...(key !== undefined && { key: readable(key) }),
        minVersion: 'TLSv1.2',
        rejectUnauthorized: verify,
      })
    } catch (error) {
      this.#fail('tls.configuration', `TLS can't be set up: ${text(error)}`)
      return
    }
    this.#socket = secure
    // What goes wrong below TLS is told by TLS.
    plain.on('error', () => {})
    let isSecure = false
    secure.once('secureConnect', () => {
      isSecure = true
      secure.removeListener('error', failed)
      secure.removeListener('close', closed)
      this.#listen()
      this.#peer.tlsStarted(secure.authorized, bindingOf(secure))
    })
    const failed = (error: NodeJS.ErrnoException) => this.#fail(tlsCode(error), `TLS failed: ${error.message}`)
    const closed = () => {
      if (!isSecure) this.#fail('tls.handshake', 'the connection was closed before TLS was there')
    }
    secure.once('error', failed)
    secure.once('close', closed)
  }

  close(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    const socket = this.#socket
    socket.removeAllListeners('data')
    // A QUIT that was written is on its way; what is stuck is thrown away.
    if (this.#isOpen && socket.writableLength === 0) socket.end()
    socket.on('error', () => {})
    if (socket.writableLength === 0 && this.#isOpen) {
      socket.resume()
      setTimeout(() => socket.destroy(), LINGER).unref()
    } else socket.destroy()
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (bytes) => this.#tell(() => this.#receive(bytes)))
    socket.on('end', () => this.#tell(() => this.#peer.ended()))
    socket.on('error', (error) => this.#fail(codeOf(error, this.#isOpen), said(error)))
    socket.on('close', () => this.#fail('connect.lost', 'the connection broke'))
  }

  #tell(say: () => void): void {
    if (!this.#isOver) say()
  }

  #wrote(octets: number, error: Error | null | undefined): void {
    // A socket that has failed says so by itself; and what was taken at once has been told.
    if (this.#isOver || (error !== null && error !== undefined) || this.#told >= octets) {
      this.#told = Math.max(this.#told - octets, 0)
      return
    }
    this.#unwritten -= octets
    this.#peer.written(octets)
  }

  /** The network has taken everything. Its callbacks only come later. */
  #wroteAll(): void {
    const octets = this.#unwritten
    this.#told += octets
    this.#unwritten = 0
    this.#peer.written(octets)
  }

  /** A reply may come before it is told that what it answers has been written. */
  #receive(bytes: Uint8Array): void {
    if (this.#unwritten === 0 || this.#socket.writableLength > 0) return this.#peer.received(bytes)
    this.#wroteAll()
    this.#peer.received(bytes)
  }

  #fail(code: HostErrorCode, what: string): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#socket.on('error', () => {})
    this.#socket.destroy()
    this.#peer.failed(code, what)
  }
}

/** A larger piece is told when it has been written, by itself. */
const BIG = 64 << 10

/** So long, in milliseconds, may the other side take to close too. */
const LINGER = 2000

function dial(place: Place, { source }: Dialing): Socket {
  if ('path' in place) return connectSocket({ path: place.path })
  const { host, port, addresses } = place
  const known = addresses.map((address) => ({ address, family: isIP(address) }))
  return connectSocket({
    host,
    port,
    noDelay: true,
    autoSelectFamily: source === undefined,
    ...(source !== undefined && { localAddress: source, family: isIP(source) }),
    ...(known.length > 0 && {
      lookup: (_host, options, callback) => {
        const wanted = known.filter(({ family }) => options.family === undefined || options.family === 0 || options.family === family)
        const [first] = wanted
        if (options.all === true) callback(null, wanted)
        else callback(first === undefined ? new Error('there is no address of that family') : null, first?.address ?? '', first?.family)
      },
    }),
  })
}

function readable(pem: string | Uint8Array): string | Buffer {
  return typeof pem === 'string' ? pem : Buffer.from(pem)
}

/** Several addresses fail with one error each. */
function said(error: NodeJS.ErrnoException | AggregateError): string {
  const { message } = error
  if (message !== '') return message
  return error instanceof AggregateError ? error.errors.map(text).join('; ') : 'the connection failed'
}

function codeOf(error: NodeJS.ErrnoException, isOpen: boolean): HostErrorCode {
  const code = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException).code : error.code
  switch (code) {
    case 'ECONNREFUSED':
      return 'connect.refused'
    case 'ENOTFOUND':
    case 'ENODATA':
      return 'dns.no_such_host'
    case 'EAI_AGAIN':
    case 'ESERVFAIL':
      return 'dns.temporary'
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'EADDRNOTAVAIL':
      return 'connect.unreachable'
    case 'ETIMEDOUT':
      return isOpen ? 'connect.lost' : 'timeout.connect'
    default:
      return isOpen ? 'connect.lost' : 'connect.failed'
  }
}

/** Errors of a certificate have the names that OpenSSL gives them. */
function tlsCode(error: NodeJS.ErrnoException): HostErrorCode {
  return /CERT|SELF_SIGNED|UNABLE_TO|HOSTNAME|ISSUER/.test(error.code ?? '') ? 'tls.certificate' : 'tls.handshake'
}

/** What ties SCRAM to this connection: `tls-exporter` with TLS 1.3 (RFC 9266). */
function bindingOf(socket: TLSSocket): ChannelBinding | undefined {
  if (socket.getProtocol() !== 'TLSv1.3' || typeof socket.exportKeyingMaterial !== 'function') return undefined
  try {
    return { name: 'tls-exporter', data: socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)) }
  } catch {
    return undefined
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
