declare module 'cloudflare:sockets' {
  /** Opens a socket. */
  export function connect(
    address: { hostname: string; port: number },
    options: { secureTransport: 'on' | 'off' | 'starttls'; allowHalfOpen?: boolean },
  ): {
    readonly readable: ReadableStream<Uint8Array>
    readonly writable: WritableStream<Uint8Array>
    readonly opened: Promise<{ localAddress?: string }>
    readonly closed: Promise<void>
    close(): Promise<void>
    startTls(options?: { expectedServerHostname?: string }): ReturnType<typeof connect>
  }
}
