import { Writer } from './packing.js'

/** What ties SCRAM to a TLS connection (RFC 9266, RFC 5929). */
export interface ChannelBinding {
  name: 'tls-exporter' | 'tls-server-end-point' | 'tls-unique'
  data: Uint8Array
}

/** What the DNS said. */
export interface DnsAnswer {
  /** The name at the end of the aliases, if that is another. */
  canonicalName?: string
  records:
    | { kind: 'none' | 'no-such-name' | 'failed' }
    | { kind: 'exchanges'; exchanges: { preference: number; host: string }[] }
    | { kind: 'addresses'; addresses: string[] }
    | { kind: 'alias'; name: string }
}

/** The records that a host hands in, as `engine/src/input.rs` has them. */
export class Input extends Writer {
  /** The values of the message follow. */
  submit(): void {
    this.octet(1)
  }

  opened(connection: number, local: string, nonce: Uint8Array): void {
    this.octet(2)
    this.number(connection)
    this.text(local)
    this.raw(nonce)
  }

  failed(connection: number, code: string, what: string): void {
    this.octet(3)
    this.number(connection)
    this.text(code)
    this.text(what)
  }

  receive(connection: number, bytes: Uint8Array): void {
    this.octet(4)
    this.number(connection)
    this.bytes(bytes)
  }

  end(connection: number): void {
    this.octet(5)
    this.number(connection)
  }

  written(connection: number, octets: number): void {
    this.octet(6)
    this.number(connection)
    this.number(octets)
  }

  tlsStarted(connection: number, verified: boolean, binding?: ChannelBinding): void {
    this.octet(7)
    this.number(connection)
    this.flag(verified)
    this.flag(binding !== undefined)
    if (binding === undefined) return
    this.text(binding.name)
    this.bytes(binding.data)
  }

  token(connection: number, token: string): void {
    this.octet(8)
    this.number(connection)
    this.text(token)
  }

  content(connection: number, message: number, bytes: Uint8Array): void {
    this.octet(9)
    this.number(connection)
    this.number(message)
    this.bytes(bytes)
  }

  contentEnd(connection: number, message: number): void {
    this.octet(10)
    this.number(connection)
    this.number(message)
  }

  contentFailed(connection: number, message: number, code: string, what: string): void {
    this.octet(11)
    this.number(connection)
    this.number(message)
    this.text(code)
    this.text(what)
  }

  dnsAnswer(lookUp: number, answer: DnsAnswer): void {
    this.octet(12)
    this.number(lookUp)
    this.optionalText(answer.canonicalName)
    const { records } = answer
    switch (records.kind) {
      case 'none':
        return this.octet(0)
      case 'no-such-name':
        return this.octet(1)
      case 'failed':
        return this.octet(2)
      case 'exchanges':
        this.octet(3)
        this.count(records.exchanges.length)
        for (const { preference, host } of records.exchanges) {
          this.count(preference)
          this.text(host)
        }
        return
      case 'addresses':
        this.octet(4)
        this.count(records.addresses.length)
        for (const address of records.addresses) this.text(address)
        return
      case 'alias':
        this.octet(5)
        this.text(records.name)
    }
  }

  cancel(message: number): void {
    this.octet(13)
    this.number(message)
  }

  finish(): void {
    this.octet(14)
  }

  stop(): void {
    this.octet(15)
  }

  deadlinePassed(): void {
    this.octet(16)
  }

  observe(isObserved: boolean): void {
    this.octet(17)
    this.flag(isObserved)
  }

  command(verb: string, argument?: string): void {
    this.octet(18)
    this.text(verb)
    this.optionalText(argument)
  }
}
