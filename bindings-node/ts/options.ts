import { Writer } from './engine/packing.js'
import { usage } from './error.js'
import type { Event } from './event.js'
import type { DnsAnswer } from './engine/input.js'
import { hostInAscii } from './ascii.js'

/** Seconds, or a text such as `90s`, `30m`, `4h` or `2d`. */
export type Time = number | `${number}${'s' | 'm' | 'h' | 'd'}`

/** A number of messages in a unit of time: `20/s`, `600/m`, `5000/h`. */
export type Rate = `${number}/${'s' | 'm' | 'h'}`

/** A SASL mechanism. */
export type Mechanism =
  | 'SCRAM-SHA-256-PLUS'
  | 'SCRAM-SHA-1-PLUS'
  | 'SCRAM-SHA-256'
  | 'SCRAM-SHA-1'
  | 'CRAM-MD5'
  | 'OAUTHBEARER'
  | 'XOAUTH2'
  | 'EXTERNAL'
  | 'PLAIN'
  | 'LOGIN'

/** Who we are: a user with a password, or with a token; or what TLS has shown (EXTERNAL). */
export interface Auth {
  /** The user. In place of the one in the URL. */
  user?: string
  /** The password. */
  password?: string
  /** An OAuth 2.0 access token, or what gets one each time that a connection needs it. */
  token?: string | (() => string | Promise<string>)
  /** For whom we act, if that is somebody else. */
  authzid?: string
  /** Only these mechanisms, the server's strongest first; without it, all that fit. `['EXTERNAL']` alone needs no password. */
  mechanisms?: Mechanism[]
  /** Try the next mechanism when the server has refused one. Some servers take that for an attack. */
  tryAllMechanisms?: boolean
  /** Dangerous: send credentials although nobody has verified the server. Everybody on the way can read or use them. */
  allowPlaintextAuth?: boolean
}

/** Whom TLS trusts, and what it shows. Where the runtime makes TLS by itself (Workers), only the runtime can be told. */
export interface TlsOptions {
  /** Authorities in PEM, in place of the system's. */
  ca?: string | Uint8Array | (string | Uint8Array)[]
  /** The certificate to show, with its chain, in PEM. */
  cert?: string | Uint8Array
  /** Its key, in PEM. */
  key?: string | Uint8Array
}

/** How a server is spoken to. */
export interface SessionOptions {
  /** When TLS begins; without it, what the URL says: `smtp:` means `starttls`, `smtps:` `implicit`. Both mean *required*. */
  tls?: 'none' | 'opportunistic' | 'starttls' | 'implicit'
  /** The name that the server's certificate is for, where that is not the host of the URL. */
  tlsName?: string
  /** Who we are. */
  auth?: Auth
  /** What we call ourselves; without it the name of this machine, or the address that the connection comes from. */
  ehlo?: string
  /**
   * How much goes in one write, and so how often is waited: `none` a command, `message` an envelope, `session` (the default) a
   * content and the envelope of the next message, `streaming` whole messages by BDAT, for servers that are known to take it.
   */
  pipelining?: 'none' | 'message' | 'session' | 'streaming'
  /** Whether content goes by BDAT where that is offered: where it saves something, always, never. */
  chunking?: 'auto' | 'prefer' | 'never'
  /** How long the server may take for each reply. Without it, what RFC 5321 §4.5.3.2 says, step by step. */
  replyTimeout?: Time
  /** For the greeting. */
  greetingTimeout?: Time
  /** For EHLO, STARTTLS, AUTH, RSET and the like. */
  commandTimeout?: Time
  /** For MAIL. */
  mailTimeout?: Time
  /** For RCPT. */
  rcptTimeout?: Time
  /** For DATA. */
  dataTimeout?: Time
  /** For taking any bytes at all. */
  writeTimeout?: Time
  /** For the reply to the content. */
  contentTimeout?: Time
  /** For QUIT. */
  quitTimeout?: Time
  /** For the TLS handshake. */
  tlsTimeout?: Time
  /** How many octets a reply may have. */
  maxReply?: number
  /** Connections at a time: to each server 1 if nothing is said; in all with direct delivery, 256. */
  connections?: number
  /** Messages on one connection. */
  messagesPerConnection?: number
  /** No more messages than this; several all hold. */
  rate?: Rate | Rate[]
  /** Log in by POP3 first: `pop3://user:password@host`, `pop3s://...`. */
  popBefore?: string
  /** For how long that holds. */
  popExpires?: Time
}

/** One server among several. */
export interface Relay extends Omit<SessionOptions, 'auth'> {
  /** Where it is. */
  url: string
  /** Who we are there. Tokens that are fetched are for all servers alike. */
  auth?: Omit<Auth, 'token'> & { token?: string }
  /** The lowest goes first; those of the same priority share the mail. */
  priority?: number
  /** How often it has its turn. */
  weight?: number
}

/** How messages are sent: what is said for all, or of one. */
export interface MessageOptions {
  /** How long a message may take, from being handed over to its outcome. */
  timeout?: Time
  /** How content that is not plain 7-bit text is declared. */
  body?: 'auto' | '7bit' | '8bitmime' | 'binarymime'
  /** Whether a message is declared as internationalised. */
  smtputf8?: 'auto' | 'require' | 'never'
  /** What to do about a bare CR or LF. */
  newlines?: 'fix' | 'refuse'
  /** Send to every recipient or to none: one that is refused stops the others. */
  allOrNothing?: boolean
  /** Parameters of MAIL, such as `REQUIRETLS` or `BY=3600;R`. */
  param?: string | string[]
  /** What a notice of failure brings back (RFC 3461). */
  ret?: 'full' | 'hdrs'
  /** A name that notices carry (RFC 3461). */
  envid?: string
  /** When to be told of each recipient (RFC 3461). */
  notify?: Notify
  /** Let a Bcc field go out as it is. */
  keepBcc?: boolean
}

/** When to be told what has become of a recipient (RFC 3461): never, or in these cases. */
export type Notify = 'never' | ('success' | 'failure' | 'delay')[]

/** What all ways of sending have in common. */
export interface CommonOptions extends SessionOptions, MessageOptions {
  /** Whom TLS trusts. */
  tlsOptions?: TlsOptions
  /** How long it may take to be connected; 30 seconds without it. */
  connectTimeout?: Time
  /** Connect from this address. */
  sourceAddress?: string
  /** What was deferred is tried again, for so long. */
  retryFor?: Time
  /** So often, the first time included. */
  tries?: number
  /** Told what happens. Once there is somebody, the engine tells; it should not take long. */
  onEvent?: (event: Event) => void
  /** Also tell the dialogue, by events named `trace`. Secrets are hidden. */
  trace?: boolean
}

/** What a client is made from. */
export interface ClientOptions extends CommonOptions {
  /**
   * Where the server is and how it is spoken to. `user:password@` before the host are credentials, percent-encoded.
   *
   * | URL | port | TLS |
   * |---|---|---|
   * | `smtp://host[:port]` | 587 | by STARTTLS, required |
   * | `smtps://host[:port]` | 465 | from the first byte |
   * | `lmtp://host[:port]` | 24 | none |
   * | `lmtp:///path/to/socket` | | none |
   */
  server: string
}

/** What a mailer is made from that sends by relays. */
export interface RelayOptions extends CommonOptions {
  /** Each is used while those before it have failed. */
  server: string | (string | Relay)[]
  /** They are used by turns instead. */
  roundRobin?: boolean
}

/** What a mailer is made from that delivers to the servers of each recipient's domain. */
export interface DirectOptions extends CommonOptions {
  /** What none of those takes goes here. */
  fallback?: string | (string | Relay)[]
  /** Where servers listen: 25, but in tests. */
  mxPort?: number
  /** Addresses of our own: mail that would go there has come round. */
  selfAddress?: string | string[]
  /** Names of our own. */
  selfName?: string | string[]
  /** The name servers to ask, in place of the system's: `127.0.0.1:5353`. Only where the runtime lets one choose. */
  nameServers?: string[]
  /** Who asks the DNS, in place of the runtime. It must not fail. */
  resolve?: (name: string, type: 'MX' | 'A' | 'AAAA') => Promise<DnsAnswer>
}

/** What a mailer is made from. */
export type MailerOptions = RelayOptions | (DirectOptions & { direct: true })

/** A value as the core takes it. */
type Plain = string | boolean | number | readonly Plain[] | { readonly [name: string]: Plain | undefined }

/** What the driver does itself, and the core is not told. */
const OF_THE_HOST = new Set(['tlsOptions', 'onEvent', 'nameServers', 'resolve', 'signal'])

/** Packs options for `Engine.mailer`. */
export function packOptions(options: object, hostName: string): Uint8Array {
  const out = new Writer()
  out.text(hostName)
  packTable(flat(options), out)
  return out.take().slice()
}

/** Packs options for one connection, without bounds of its own. */
export function packConnectionOptions(options: object, hostName: string): Uint8Array {
  const out = new Writer()
  out.raw(packOptions(options, hostName))
  out.count(0)
  return out.take().slice()
}

/** Packs what is said of one message. */
export function packTable(options: { readonly [name: string]: Plain | undefined }, out: Writer): void {
  const said = Object.entries(options).filter((entry): entry is [string, Plain] => entry[1] !== undefined)
  out.count(said.length)
  for (const [name, value] of said) {
    out.text(name)
    pack(value, out)
  }
}

function pack(value: Plain, out: Writer): void {
  if (typeof value === 'string') {
    out.octet(0)
    out.text(value)
  } else if (typeof value === 'boolean') {
    out.octet(1)
    out.flag(value)
  } else if (typeof value === 'number') {
    out.octet(2)
    out.number(value)
  } else if (isList(value)) {
    out.octet(3)
    out.count(value.length)
    for (const item of value) pack(item, out)
  } else if (typeof value === 'object' && value !== null) {
    out.octet(4)
    packTable(value, out)
  } else {
    throw usage(`an option can't be a ${typeof value}`)
  }
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value)
}

/** The names that the core has: what stands in `auth` stands beside the others there. */
function flat(options: object): { [name: string]: Plain | undefined } {
  const out: { [name: string]: Plain | undefined } = {}
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (value === undefined || OF_THE_HOST.has(name)) continue
    if (name === 'auth') Object.assign(out, flatAuth(value))
    else if (typeof value === 'string' && (name === 'server' || name === 'fallback' || name === 'url')) out[name] = urlInAscii(value)
    else if ((name === 'server' || name === 'fallback') && Array.isArray(value)) {
      out[name] = value.map((relay: unknown) => (typeof relay === 'object' && relay !== null ? flat(relay) : typeof relay === 'string' ? urlInAscii(relay) : (relay as Plain)))
    } else out[name] = value as Plain
  }
  return out
}

/** A URL whose host is outside ASCII, with that as A-labels. */
function urlInAscii(url: string): string {
  return url.replace(/^([a-z]+:\/\/(?:[^@/]*@)?)([^/:@]*[^\x00-\x7f][^/:@]*)/, (_, before: string, host: string) => before + hostInAscii(host))
}

function flatAuth(auth: unknown): { [name: string]: Plain | undefined } {
  if (typeof auth !== 'object' || auth === null) throw usage('the option auth is an object')
  const out: { [name: string]: Plain | undefined } = {}
  for (const [name, value] of Object.entries(auth)) {
    if (name === 'mechanisms') out['auth'] = value as Plain
    else if (name === 'token') out['token'] = typeof value === 'function' ? true : (value as Plain)
    else out[name] = value as Plain
  }
  return out
}
