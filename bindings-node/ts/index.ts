/**
 * SMTP by one engine, wherever JavaScript runs.
 *
 * @packageDocumentation
 */
export { Client, engine, Mailer, send, type Capabilities } from './mailer.js'
export { SendMany, type Messages } from './send-many.js'
export { Outcome, type Progress, type RecipientOutcome, type RecipientStatus, type Reply, type Status } from './outcome.js'
export { ERROR_CODES, OkuruError, type ErrorCode, type ErrorFamily } from './error.js'
export type { Envelope, Message, Recipient, To } from './message.js'
export type { Chunks, Raw } from './source.js'
export type { Event, OnConnection } from './event.js'
export type {
  Auth,
  ClientOptions,
  CommonOptions,
  DirectOptions,
  MailerOptions,
  Mechanism,
  MessageOptions,
  Notify,
  Rate,
  Relay,
  RelayOptions,
  SessionOptions,
  Time,
  TlsOptions,
} from './options.js'
export type { DnsAnswer } from './engine/input.js'
