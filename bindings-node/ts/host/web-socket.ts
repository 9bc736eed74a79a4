import type { Host } from './host.js'
import { HostError, WireLink, type Wire } from './wire.js'

/**
 * Browsers have no sockets: a proxy of yours opens them. It is asked by `wss://your.proxy/?host=...&port=...`, and passes on octets in
 * binary frames. As browsers make no TLS inside a connection either, the proxy does: the text frame `tls NAME` asks for it, and `tls` says
 * that it is there, verified. The proxy sees everything, credentials too. `docs/web-socket-proxy.mjs` is one.
 */
export function webSocketHost(proxy: string | URL): Host {
  return {
    hostName: () => '',
    connect: (place, dialing, peer) => {
      const open = async (): Promise<Wire> => {
        if ('path' in place) throw new HostError('connect.failed', 'browsers have no Unix sockets')
        const url = new URL(proxy)
        url.searchParams.set('host', place.addresses[0] ?? place.host)
        url.searchParams.set('port', String(place.port))
        const socket = new WebSocket(url)
        socket.binaryType = 'arraybuffer'
        return opened(socket)
      }
      return new WireLink(open(), dialing, peer)
    },
  }
}

function opened(socket: WebSocket): Promise<Wire> {
  const come: Uint8Array[] = []
  let isOver = false
  let wanted: ((bytes: Uint8Array | undefined) => void) | undefined
  let secured: (() => void) | undefined
  let failed: ((error: Error) => void) | undefined
  socket.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === 'string') return secured?.()
    const bytes = new Uint8Array(data)
    if (wanted === undefined) come.push(bytes)
    else wanted(bytes)
    wanted = undefined
  })
  socket.addEventListener('close', ({ reason }) => {
    isOver = true
    wanted?.(undefined)
    failed?.(new HostError('tls.handshake', reason || 'the proxy has closed the connection'))
  })
  const wire: Wire = {
    local: '',
    read: () => {
      const bytes = come.shift()
      if (bytes !== undefined || isOver) return Promise.resolve(bytes)
      return new Promise((resolve) => {
        wanted = resolve
      })
    },
    async write(bytes) {
      socket.send(Uint8Array.from(bytes))
      // A browser takes everything, and says how much of it is still there.
      while (socket.bufferedAmount > MOST_BUFFERED && !isOver) await new Promise((resolve) => setTimeout(resolve, 5))
    },
    async startTls(serverName) {
      const done = new Promise<void>((resolve, reject) => {
        secured = resolve
        failed = reject
      })
      socket.send(`tls ${serverName}`)
      await done
      failed = undefined
      return wire
    },
    close: () => socket.close(),
  }
  return new Promise((resolve, reject) => {
    socket.addEventListener('open', () => resolve(wire))
    socket.addEventListener('close', ({ reason }) => reject(new HostError('connect.failed', reason || 'the proxy did not connect')))
  })
}

const MOST_BUFFERED = 1 << 20
