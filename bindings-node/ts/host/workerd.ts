import { connect } from 'cloudflare:sockets'
import type { Host } from './host.js'
import { HostError, WireLink, type Wire } from './wire.js'

/** A socket of `cloudflare:sockets`. */
interface CloudflareSocket {
  readonly readable: ReadableStream<Uint8Array>
  readonly writable: WritableStream<Uint8Array>
  readonly opened: Promise<{ localAddress?: string }>
  readonly closed: Promise<void>
  close(): Promise<void>
  /** A new socket. The old one must not be locked any more. */
  startTls(options?: { expectedServerHostname?: string }): CloudflareSocket
}

/** Sockets of Workers. A client belongs to the request in which it was made. */
export const workerd: Host = {
  hostName: () => '',
  connect: (place, dialing, peer) => {
    const open = async (): Promise<Wire> => {
      if ('path' in place) throw new HostError('connect.failed', 'Workers have no Unix sockets')
      if (Object.values(dialing.tls).some((value) => value !== undefined)) {
        throw new HostError('tls.configuration', 'whom TLS trusts is said to the runtime, not to a Worker')
      }
      const socket: CloudflareSocket = connect({ hostname: place.addresses[0] ?? place.host, port: place.port }, { secureTransport: 'starttls' })
      return wire(socket, (await settled(socket)).localAddress ?? '')
    }
    return new WireLink(open(), dialing, peer)
  },
}

/** What a socket says when it is there. Where it fails, `closed` says so too, which nobody waits for. */
async function settled(socket: CloudflareSocket): Promise<{ localAddress?: string }> {
  socket.closed.catch(() => {})
  try {
    return await socket.opened
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    throw new HostError(/refused/i.test(what) ? 'connect.refused' : /dns|resolve|lookup/i.test(what) ? 'dns.no_such_host' : 'connect.failed', what)
  }
}

function wire(socket: CloudflareSocket, local: string): Wire {
  const reader = socket.readable.getReader()
  const writer = socket.writable.getWriter()
  return {
    local,
    async read() {
      const { done, value } = await reader.read()
      return done ? undefined : value
    },
    write: (bytes) => writer.write(bytes),
    async startTls(serverName) {
      reader.releaseLock()
      writer.releaseLock()
      const secure = socket.startTls({ expectedServerHostname: serverName })
      try {
        await settled(secure)
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error)
        throw new HostError(/certificate|verif/i.test(what) ? 'tls.certificate' : 'tls.handshake', what)
      }
      return wire(secure, local)
    },
    close() {
      socket.close().catch(() => {})
    },
  }
}
