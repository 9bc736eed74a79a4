import type { DnsAnswer } from '../engine/input.js'
import type { HostErrorCode, Host } from './host.js'
import { HostError, WireLink, type Wire } from './wire.js'

/** What of Deno is used here. */
interface Conn {
  readonly localAddr: { hostname?: string }
  read(buffer: Uint8Array): Promise<number | null>
  write(bytes: Uint8Array): Promise<number>
  close(): void
  unref?(): void
  ref?(): void
}

interface TlsConn extends Conn {
  handshake(): Promise<unknown>
}

interface DenoNamespace {
  connect(options: { hostname: string; port: number } | { transport: 'unix'; path: string }): Promise<Conn>
  startTls(conn: Conn, options: { hostname: string; caCerts?: string[] }): Promise<TlsConn>
  resolveDns(name: string, type: string, options?: object): Promise<unknown[]>
  hostname?(): string
  errors: Record<'ConnectionRefused' | 'NotFound' | 'InvalidData' | 'NetworkUnreachable', new () => Error>
}

declare const Deno: DenoNamespace

/** `Deno.connect` and `Deno.startTls`. */
export const deno: Host = {
  hostName() {
    try {
      return Deno.hostname?.() ?? ''
    } catch {
      return '' // not permitted
    }
  },
  connect: (place, dialing, peer) => {
    const { ca, cert } = dialing.tls
    const caCerts = ca === undefined ? undefined : [ca].flat().map((pem) => (typeof pem === 'string' ? pem : new TextDecoder().decode(pem)))
    const open = async (): Promise<Wire> => {
      if (cert !== undefined) throw new HostError('tls.configuration', 'Deno.startTls shows no certificate')
      if (dialing.source !== undefined) throw new HostError('connect.failed', 'Deno.connect chooses the address by itself')
      try {
        if ('path' in place) return wire(await Deno.connect({ transport: 'unix', path: place.path }), caCerts)
        return wire(await first(place.addresses.length > 0 ? place.addresses : [place.host], place.port), caCerts)
      } catch (error) {
        throw new HostError(codeOf(error), error instanceof Error ? error.message : String(error))
      }
    }
    return new WireLink(open(), dialing, peer)
  },
  resolver: (nameServers) => (name, type) => resolve(name, type, nameServers),
}

/** The first of these that answers. */
async function first(hosts: readonly string[], port: number): Promise<Conn> {
  let failure: unknown
  for (const hostname of hosts) {
    try {
      return await Deno.connect({ hostname, port })
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

function wire(conn: Conn, caCerts: string[] | undefined): Wire {
  const buffer = new Uint8Array(64 << 10)
  return {
    local: conn.localAddr.hostname ?? '',
    async read() {
      const length = await conn.read(buffer)
      return length === null ? undefined : buffer.subarray(0, length)
    },
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) at += await conn.write(bytes.subarray(at))
    },
    async startTls(hostname) {
      try {
        const secure = await Deno.startTls(conn, { hostname, ...(caCerts && { caCerts }) })
        await secure.handshake()
        return wire(secure, caCerts)
      } catch (error) {
        const isCertificate = error instanceof Deno.errors.InvalidData && /certificate/i.test(error.message)
        throw new HostError(isCertificate ? 'tls.certificate' : 'tls.handshake', error instanceof Error ? error.message : String(error))
      }
    },
    close() {
      try {
        conn.close()
      } catch {
        // It is closed already.
      }
    },
  }
}

function codeOf(error: unknown): HostErrorCode {
  const { errors } = Deno
  if (error instanceof HostError) return error.code
  if (error instanceof errors.ConnectionRefused) return 'connect.refused'
  if (error instanceof errors.NetworkUnreachable) return 'connect.unreachable'
  const message = error instanceof Error ? error.message : ''
  if (/lookup address|resolve/.test(message)) return /temporary/i.test(message) ? 'dns.temporary' : 'dns.no_such_host'
  return 'connect.failed'
}

async function resolve(name: string, type: 'MX' | 'A' | 'AAAA', nameServers: readonly string[] | undefined): Promise<DnsAnswer> {
  try {
    const [server] = nameServers ?? []
    const colon = server?.lastIndexOf(':') ?? -1
    const nameServer = server === undefined ? undefined : { ipAddr: server.slice(0, colon), port: Number(server.slice(colon + 1)) }
    const records = await Deno.resolveDns(name, type, nameServer && { nameServer })
    if (records.length === 0) return { records: { kind: 'none' } }
    if (type !== 'MX') return { records: { kind: 'addresses', addresses: records as string[] } }
    const exchanges = (records as { preference: number; exchange: string }[]).map(({ preference, exchange }) => ({ preference, host: exchange }))
    return { records: { kind: 'exchanges', exchanges } }
  } catch (error) {
    // Deno does not tell a name without such records from one that is not there. The former is the safe guess: a domain without MX
    // is then asked for its address, and one that is not there has none.
    return { records: { kind: error instanceof Deno.errors.NotFound ? 'none' : 'failed' } }
  }
}
