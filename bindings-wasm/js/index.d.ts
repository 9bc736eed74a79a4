/** A machine of the core, driven by packed records. The package `okuru` is what drives it. */
export class Engine {
  private constructor()
  /** A mailer. `seed` is random. */
  static mailer(options: Uint8Array, seed: number): Engine
  /** One connection. */
  static connection(options: Uint8Array): Engine
  /** Takes records, and gives those of all that is to be done. `now` is in milliseconds. */
  step(now: number, input: Uint8Array): Uint8Array
  /** Hands in content of a message. Gives how many octets were taken. */
  content(now: number, connection: number, message: number, bytes: Uint8Array): number
  /** Lets go of its memory. */
  free(): void
}

/** What the header of a content says: of sender and recipients what is wanted, and which ranges are not to go out. */
export function header(head: Uint8Array, wantsSender: boolean, wantsRecipients: boolean): Uint8Array

/** Every code of the catalogue of errors with what a user can do, a line each, with a tab between them. */
export function catalogue(): string
