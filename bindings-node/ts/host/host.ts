import type { ChannelBinding, DnsAnswer } from '../engine/input.js'
import type { TlsOptions } from '../options.js'

/** Where a connection goes to. */
export type Place = { host: string; port: number; addresses: readonly string[] } | { path: string }

/** How connections are made. */
export interface Dialing {
  /** Milliseconds. */
  timeout: number
  /** Connect from this address. */
  source: string | undefined
  tls: TlsOptions
}

/** Whom a connection tells what happens. After `failed` nothing more is told. */
export interface Peer {
  /** The connection is there. `local` is the address that it comes from, or empty. */
  opened(local: string): void
  received(bytes: Uint8Array): void
  /** So many octets have been handed to the network. */
  written(octets: number): void
  /** Nothing more will come. */
  ended(): void
  tlsStarted(verified: boolean, binding?: ChannelBinding): void
  failed(code: HostErrorCode, what: string): void
}

/** What goes wrong outside of the core. */
export type HostErrorCode =
  | 'timeout.connect'
  | 'connect.refused'
  | 'connect.unreachable'
  | 'connect.lost'
  | 'connect.failed'
  | 'dns.no_such_host'
  | 'dns.temporary'
  | 'tls.handshake'
  | 'tls.certificate'
  | 'tls.configuration'

/** A connection. */
export interface Link {
  /** Writes these in order, and tells its peer when they have been handed to the network: at once, or piece by piece. */
  write(pieces: readonly Uint8Array[]): void
  /** Begins TLS. What has been read before is not kept. */
  startTls(serverName: string, verify: boolean): void
  /** Closes. What was not written is thrown away; nothing is told any more. */
  close(): void
}

/** What a runtime supplies: sockets, TLS, the DNS, and when to end. */
export interface Host {
  /** The name of this machine, or empty. */
  hostName(): string
  connect(place: Place, dialing: Dialing, peer: Peer): Link
  /** Asks the DNS. It must not fail. */
  resolver?(nameServers: readonly string[] | undefined): (name: string, type: 'MX' | 'A' | 'AAAA') => Promise<DnsAnswer>
  /** Says whether the process is to be kept alive, for it has something to do. */
  keepAlive?(isBusy: boolean): void
}
