import * as module from 'okuru-wasm'
import type { Host } from '../host/host.js'
import { webSocketHost } from '../host/web-socket.js'
import { usePlatform } from '../platform.js'

export * from '../index.js'

const nowhere: Host = {
  hostName: () => '',
  connect(_place, _dialing, peer) {
    queueMicrotask(() => peer.failed('connect.failed', 'a browser has no sockets: say useProxy first'))
    return { write() {}, startTls() {}, close() {} }
  },
}

usePlatform(() => ({ module, engine: 'wasm', host: nowhere }))

/**
 * Has a proxy of yours open the connections of what is made from now on: browsers have no sockets. `docs/web-socket-proxy.mjs` is one, in
 * 30 lines. It sees everything, credentials too.
 */
export function useProxy(url: string | URL): void {
  usePlatform(() => ({ module, engine: 'wasm', host: webSocketHost(url) }))
}
