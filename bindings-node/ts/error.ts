import type { Reader } from './engine/packing.js'

/**
 * Every code of the one catalogue of errors, the same in every host of okuru. The first word is the family. A code keeps its
 * meaning.
 */
export const ERROR_CODES = [
  'reply.deferred',
  'reply.rejected',
  'reply.closing',
  'protocol.malformed_reply',
  'protocol.mixed_codes',
  'protocol.unexpected_reply',
  'protocol.unexpected_code',
  'protocol.closed',
  'protocol.not_its_turn',
  'protocol.bare_newline',
  'protocol.foreign',
  'security.tls_stripped',
  'security.starttls_injection',
  'security.plaintext_credentials',
  'security.server_not_authenticated',
  'security.channel_binding',
  'security.smuggling',
  'security.tls_required',
  'tls.handshake',
  'tls.certificate',
  'tls.configuration',
  'auth.refused',
  'auth.no_mechanism',
  'auth.not_offered',
  'auth.malformed_challenge',
  'auth.malformed_response',
  'auth.unavailable',
  'auth.required',
  'auth.credentials',
  'auth.token',
  'timeout.connect',
  'timeout.reply',
  'timeout.write',
  'timeout.tls',
  'timeout.command',
  'timeout.session',
  'timeout.deadline',
  'connect.refused',
  'connect.unreachable',
  'connect.lost',
  'connect.proxy',
  'connect.failed',
  'dns.no_such_host',
  'dns.temporary',
  'dns.null_mx',
  'dns.loop',
  'dns.no_server',
  'address.syntax',
  'address.needs_smtputf8',
  'address.too_long',
  'message.too_large',
  'message.needs_8bitmime',
  'message.needs_binarymime',
  'message.needs_smtputf8',
  'message.needs_extension',
  'message.parameter_limit',
  'message.bare_newline',
  'message.no_recipients',
  'message.no_sender',
  'message.empty',
  'message.size_mismatch',
  'message.unreadable',
  'limit.reply_line',
  'limit.reply_lines',
  'limit.reply_bytes',
  'limit.command_line',
  'limit.recipients',
  'limit.session',
  'limit.errors',
  'cancelled',
  'cancelled.all_or_nothing',
  'usage',
] as const

/** What went wrong, as a stable code. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/** The first word of a code. */
export type ErrorFamily =
  | 'reply'
  | 'protocol'
  | 'security'
  | 'tls'
  | 'auth'
  | 'timeout'
  | 'connect'
  | 'dns'
  | 'address'
  | 'message'
  | 'limit'
  | 'cancelled'
  | 'usage'

/** What went wrong: what happened, at which step, and what can be done. Nothing in it is ever a secret. */
export class OkuruError extends Error {
  override readonly name = 'OkuruError'
  /** The stable code. */
  readonly code: ErrorCode
  /** At which step, such as `at RCPT`, if that is known. */
  readonly step: string | undefined
  /** What happened, without the step and the advice. */
  readonly what: string

  constructor(code: ErrorCode, what: string, step?: string, sentence?: string) {
    super(sentence ?? `${what}.`)
    this.code = code
    this.what = what
    this.step = step
  }

  /** The first word of the code. */
  get family(): ErrorFamily {
    return this.code.slice(0, (this.code.indexOf('.') + 1 || this.code.length + 1) - 1) as ErrorFamily
  }

  /** What `JSON.stringify` shows. */
  toJSON(): { code: ErrorCode; step: string | undefined; message: string } {
    return { code: this.code, step: this.step, message: this.message }
  }
}

/** An error that was packed. */
export function readError(packed: Reader): OkuruError {
  const code = ERROR_CODES[packed.count()] ?? 'usage'
  const step = packed.optionalText()
  const what = packed.text()
  return new OkuruError(code, what, step, packed.text())
}

/** An error that an engine has thrown: one line, with tabs in it. */
export function thrownByEngine(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const [code, step, what, sentence] = error.message.split('\t')
  const known = ERROR_CODES.find((known) => known === code)
  if (known === undefined || what === undefined) return error
  return new OkuruError(known, what, step || undefined, sentence)
}

/** What a user has asked for makes no sense. */
export function usage(what: string): OkuruError {
  return new OkuruError('usage', what)
}
