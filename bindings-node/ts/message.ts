import { inAscii } from './ascii.js'
import type { Input } from './engine/input.js'
import type { EngineModule } from './engine/engine.js'
import { Reader } from './engine/packing.js'
import { OkuruError, thrownByEngine, usage } from './error.js'
import { packTable, type MessageOptions, type Notify } from './options.js'
import { joined, kept, LONGEST_HEADER, open, without, type Range, type Raw, type Source } from './source.js'

const encoder = new TextEncoder()

/** A recipient, with what is said for this one alone (RFC 3461). */
export interface Recipient {
  /** The mailbox, with angle brackets or without; or `Postmaster`. */
  address: string
  /** When to be told what has become of it. */
  notify?: Uppercase<'never'> | 'never' | (Uppercase<'success' | 'failure' | 'delay'> | 'success' | 'failure' | 'delay')[]
  /** To whom the message was addressed at first. */
  orcpt?: string
}

/** To whom a message goes. */
export type To = string | Recipient | readonly (string | Recipient)[]

/** From whom and to whom: what the header says has no say in it. */
export interface Envelope {
  /** The reverse-path: where notices of failure go. Nobody is the empty string. Without it, what the header says. */
  from?: string
  /** Without it, those whom the header names. */
  to?: To
}

/** A message to send. */
export interface Message extends Envelope, MessageOptions {
  /** The message itself, with its header. */
  raw: Raw
  /** From whom and to whom, in place of `from` and `to`. */
  envelope?: Envelope
  /** Cancels the message, as far as it has not been sent. Its outcome says how far that was. */
  signal?: AbortSignal
}

/** Of whole contents, those up to this size are kept by the engine; it writes no range of them by itself. */
const KEPT = 16 << 10

/** Larger ones are not looked at before they are sent. */
const LOOKED_AT = 1 << 20

const OF_THE_DRIVER = new Set(['raw', 'from', 'to', 'envelope', 'signal'])

/** From whom and to whom, and how. */
interface Mail {
  readonly from: string | undefined
  readonly to: readonly (string | Recipient)[]
  readonly options: Readonly<Record<string, string | boolean | number | readonly string[] | undefined>> | undefined
}

/** A message that has been looked at as far as JavaScript can. */
export interface Prepared extends Mail {
  /** A whole content that the engine is to keep. */
  readonly kept?: string | Uint8Array
  /** One that it may look at. */
  readonly seen?: Uint8Array
  /** What gives the content, if the engine does not keep it. */
  readonly source?: Source
}

/**
 * Looks at a message. Of one that comes as a stream, the header is waited for: it may name recipients that are not to be seen by the
 * others.
 */
export function prepare(module: EngineModule, message: Message): Prepared | Promise<Prepared> {
  if (typeof message !== 'object' || message === null) throw usage('a message is an object')
  const { from, to } = message.envelope ?? message
  if (from !== undefined && typeof from !== 'string') throw usage('from is a text')
  const mail: Mail = { from, to: recipients(to), options: optionsOf(message) }
  const { raw } = message
  if (typeof raw === 'string' && raw.length * 3 <= KEPT) return { ...mail, kept: raw }
  const bytes = typeof raw === 'string' ? encoder.encode(raw) : raw
  if (!(bytes instanceof Uint8Array)) return prepareStream(module, mail, open(bytes))
  if (bytes.length <= KEPT) return { ...mail, kept: bytes }
  const { hidden, ...said } = addressed(module, mail, bytes.subarray(0, LONGEST_HEADER))
  const content = hidden.length === 0 ? bytes : joined(kept(bytes, 0, hidden))
  const source = open(content)
  return content.length <= LOOKED_AT ? { ...said, seen: content, source } : { ...said, source }
}

async function prepareStream(module: EngineModule, mail: Mail, stream: Source): Promise<Prepared> {
  const { hidden, ...said } = addressed(module, mail, await stream.head())
  return { ...said, source: hidden.length === 0 ? stream : without(stream, hidden) }
}

/** Completes the envelope by what the header says. */
function addressed(module: EngineModule, mail: Mail, head: Uint8Array): Mail & { hidden: Range[] } {
  const says = readHeader(module, head, mail)
  if (mail.from === undefined && says.sender === undefined) throw new OkuruError('message.no_sender', 'the message names no sender, and none was said')
  const hidden = mail.options?.['keepBcc'] === true ? [] : says.hidden
  return { ...mail, from: mail.from ?? says.sender, to: mail.to.length > 0 ? mail.to : says.recipients, hidden }
}

/** What `to` names. */
function recipients(to: To | undefined): readonly (string | Recipient)[] {
  if (to === undefined) return []
  const list: readonly unknown[] = Array.isArray(to) ? to : [to]
  for (const one of list) {
    const address = typeof one === 'object' && one !== null ? (one as Partial<Recipient>).address : one
    if (typeof address !== 'string') throw usage('a recipient is a text, or an object with an address')
  }
  return list as readonly (string | Recipient)[]
}

function optionsOf(message: Message): Prepared['options'] {
  let options: Record<string, string | boolean | number | readonly string[] | undefined> | undefined
  for (const name in message) {
    if (OF_THE_DRIVER.has(name)) continue
    options ??= {}
    options[name] = message[name as keyof MessageOptions]
  }
  return options
}

/** The addresses that a message itself names, as far as they are any. */
export function addresses({ from, to }: { readonly from?: unknown; readonly to?: unknown }): { from: string; to: string[] } {
  const all: readonly unknown[] = Array.isArray(to) ? to : [to]
  const text = (one: unknown) => (typeof one === 'object' && one !== null ? (one as Partial<Recipient>).address : one)
  return { from: typeof from === 'string' ? from : '', to: all.map(text).filter((one) => typeof one === 'string') }
}

/** Packs a message, as `engine/src/message.rs` has it. */
export function packMessage(message: Prepared, out: Input): void {
  const { from, to, options, kept, seen, source } = message
  out.submit()
  out.optionalText(from === undefined ? undefined : inAscii(from))
  out.count(to.length)
  for (const one of to) {
    const { address, notify, orcpt } = typeof one === 'string' ? { address: one, notify: undefined, orcpt: undefined } : one
    out.text(inAscii(address))
    out.text('')
    out.optionalText(notify === undefined ? undefined : words(notify))
    out.optionalText(orcpt)
  }
  out.text('')
  if (options === undefined) out.count(0)
  else packTable(options, out)
  if (kept !== undefined) {
    out.octet(0)
    if (typeof kept === 'string') out.text(kept)
    else out.bytes(kept)
  } else if (seen !== undefined) {
    out.octet(2)
    out.bytes(seen)
  } else {
    out.octet(1)
    out.number(source?.size ?? Number.NaN)
    out.flag(source?.isRewindable ?? false)
  }
}

function words(notify: Notify | Recipient['notify']): string {
  return (typeof notify === 'string' ? notify : (notify ?? []).join(',')).toUpperCase()
}

/** What the header of a content says. */
interface HeaderSays {
  sender: string | undefined
  recipients: string[]
  /** What is not to go out: where it begins and ends. */
  hidden: Range[]
}

/** Asks the engine what a header says, of what is not known. `head` is the content up to the end of its header, or beyond. */
function readHeader(module: EngineModule, head: Uint8Array, known: Mail): HeaderSays {
  try {
    const packed = new Reader(module.header(head, known.from === undefined, known.to.length === 0))
    const sender = packed.optionalText()
    const recipients = packed.list((packed) => packed.text())
    const hidden = packed.list((packed) => [packed.number(), packed.number()] as const)
    return { sender, recipients, hidden }
  } catch (error) {
    throw thrownByEngine(error)
  }
}
