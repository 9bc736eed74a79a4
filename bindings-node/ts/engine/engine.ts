/**
 * A machine of the core, driven by packed records. There are two of these, one behind a native addon and one in WebAssembly, with
 * the same interface; `engine/src/input.rs` and `engine/src/output.rs` say what the records are.
 */
export interface Engine {
  /** Takes records, and gives those of all that is to be done. `now` is in milliseconds. */
  step(now: number, input: Uint8Array): Uint8Array
  /** Hands in content of a message without a copy of it. Gives how many octets were taken. */
  content(now: number, connection: number, message: number, bytes: Uint8Array): number
  /** Lets go of the memory. Only WebAssembly has to be told. */
  free?(): void
}

/** What an engine comes in. */
export interface EngineModule {
  readonly Engine: {
    /** `seed` is random. */
    mailer(options: Uint8Array, seed: number): Engine
    connection(options: Uint8Array): Engine
  }
  /** What the header of a content says: of sender and recipients what is wanted, and what is not to go out. */
  header(head: Uint8Array, wantsSender: boolean, wantsRecipients: boolean): Uint8Array
  /** Every code of the catalogue with what a user can do, a line each, with a tab between them. */
  catalogue(): string
}
