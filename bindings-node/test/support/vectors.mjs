// Carries out the dialogues of tests/vectors through a machine of an engine, as tests/vectors/README.md says under "For other hosts".
import { inAscii } from '../../build/ascii.js'
import { Input } from '../../build/engine/input.js'
import { Reader, Writer } from '../../build/engine/packing.js'
import { readError } from '../../build/error.js'
import { readEvent } from '../../build/event.js'
import { packTable, packOptions } from '../../build/options.js'
import { failed, Outcome } from '../../build/outcome.js'

const START = 1_000_000
const MOST_STEPS = 100_000

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))

const join = (pieces) => {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0)
  return whole
}

const same = (a, b) => a.length === b.length && a.every((octet, at) => octet === b[at])
const text = (bytes) => JSON.stringify(new TextDecoder().decode(bytes))

/** The options of the machine, as this package has them. */
export function optionsOf(config) {
  const { authentication: auth } = config
  const timeouts = Object.entries(config.timeouts).map(([name, time]) => [name === 'all' ? 'replyTimeout' : `${name}Timeout`, time / 1000])
  return {
    server: `${config.protocol}://mx.example:${auth?.port || 587}`,
    tls: config.tls,
    tlsName: config.server_name,
    ehlo: config.ehlo,
    pipelining: config.pipelining,
    chunking: config.chunking,
    trace: config.trace,
    ...Object.fromEntries(timeouts),
    ...(auth && {
      auth: {
        user: auth.user ?? undefined,
        password: auth.password ?? undefined,
        authzid: auth.authzid ?? undefined,
        token: auth.token === null ? undefined : (auth.token.known ?? (() => 'later')),
        mechanisms: auth.external ? ['EXTERNAL'] : (auth.mechanisms ?? undefined),
        allowPlaintextAuth: auth.dangerously_allow_plaintext,
        tryAllMechanisms: auth.try_all,
      },
    }),
  }
}

class Machine {
  constructor(module, dialogue) {
    this.dialogue = dialogue
    this.contents = dialogue.messages.map((message) => join(message.content.map(bytesOf)))
    this.input = new Input()
    this.now = START
    this.said = []
    this.unwritten = 0
    this.room = null
    this.told = []
    this.outcomes = new Map()
    this.closed = null
    this.deadline = null
    this.asked = new Map()
    const { config } = dialogue
    const bounds = Object.entries({
      ...Object.fromEntries(Object.entries(config.reply_limits).map(([name, value]) => [`reply_limit_${name}`, value])),
      ...Object.fromEntries(Object.entries(config.in_flight).map(([name, value]) => [`in_flight_${name.replaceAll('-', '_')}`, value])),
    })
    const out = new Writer()
    out.raw(packOptions(optionsOf(config), ''))
    out.count(bounds.length)
    for (const [name, value] of bounds) {
      out.text(name)
      out.number(value)
    }
    this.engine = module.Engine.connection(out.take())
    this.input.observe(true)
    this.step()
    this.input.opened(0, '', config.authentication === null ? new Uint8Array(24) : bytesOf(config.authentication.nonce))
  }

  submit(index) {
    const message = this.dialogue.messages[index]
    const out = this.input
    out.submit()
    out.optionalText(inAscii(message.from))
    out.count(message.recipients.length)
    for (const { address, parameters } of message.recipients) {
      out.text(inAscii(`<${address}>`))
      out.text(parameters)
      out.optionalText(undefined)
      out.optionalText(undefined)
    }
    out.text(message.parameters)
    packTable(
      {
        body: message.declaration,
        smtputf8: message.smtputf8,
        newlines: message.newlines,
        allOrNothing: message.all_or_nothing,
        keepBcc: true,
        timeout: message.deadline === null ? undefined : (START + message.deadline - this.now) / 1000,
      },
      out,
    )
    if (message.stream === null) {
      out.octet(2)
      out.bytes(this.contents[index])
    } else {
      out.octet(1)
      out.number(message.stream.size ?? NaN)
      out.flag(message.stream.rewindable)
    }
  }

  handIn(message, offset) {
    let begin = 0
    const chunks = this.dialogue.messages[message].stream === null ? [this.contents[message]] : this.dialogue.messages[message].content.map(bytesOf)
    for (const chunk of chunks) {
      if (offset < begin + chunk.length || this.dialogue.messages[message].stream === null) {
        // By both ways in turn.
        const piece = chunk.subarray(offset - begin)
        if (offset % 2 === 0) this.input.content(0, message, piece)
        else {
          this.step()
          this.engine.content(this.now, 0, message, piece)
        }
        return
      }
      begin += chunk.length
    }
    this.input.contentEnd(0, message)
  }

  act(action, value) {
    const { input } = this
    switch (action) {
      case 'submit':
        for (const index of value) this.submit(index)
        break
      case 'abort':
        input.cancel(value)
        break
      case 'command':
        input.command(value.verb, value.argument ?? undefined)
        break
      case 'quit':
        input.finish()
        break
      case 'eof':
        input.end(0)
        break
      case 'failed':
        input.failed(0, value, 'the host says so')
        break
      case 'tls_started': {
        const binding = value.channel_binding
        input.tlsStarted(0, value.verified, binding === null ? undefined : { name: binding.kind, data: bytesOf(binding.data) })
        break
      }
      case 'token':
        input.token(0, value)
        break
      case 'chunk':
        this.handIn(value, this.take(value))
        break
      case 'content_end':
        this.take(value)
        input.contentEnd(0, value)
        break
      case 'content_failed':
        this.take(value.message)
        input.contentFailed(0, value.message, value.code, 'the host says so')
        break
      case 'wait':
        this.now += value
        if (this.deadline !== null && this.deadline <= this.now) throw new Error('a deadline has passed already')
        break
      case 'deadline':
        this.now += value
        if (this.deadline !== this.now) throw new Error(`the deadline is at ${this.deadline}, not ${this.now}`)
        input.deadlinePassed()
        break
      case 'write_rest':
        this.room = null
        break
      default:
        throw new Error(`there is nothing called ${action}`)
    }
    this.drive()
  }

  take(message) {
    const offset = this.asked.get(message)
    if (offset === undefined) throw new Error('the machine has not asked for content')
    this.asked.delete(message)
    return offset
  }

  receive(bytes) {
    this.input.receive(0, bytes)
    this.drive()
  }

  drive() {
    const stuck = this.unwritten
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      const isOver = this.step()
      // What was stuck when it ended must not follow: its outcome says that it was not sent.
      const hasWritten = (!isOver || stuck === 0) && this.write()
      if (isOver || (!hasWritten && this.input.isEmpty)) return
    }
    throw new Error('the machine does not wait')
  }

  write() {
    const octets = Math.min(this.unwritten, this.room ?? Infinity)
    if (octets === 0) return false
    if (this.room !== null) this.room -= octets
    this.unwritten -= octets
    this.input.written(0, octets)
    return true
  }

  step() {
    const packed = new Reader(this.engine.step(this.now, this.input.take().slice()))
    while (!packed.isAtEnd) {
      const record = packed.octet()
      switch (record) {
        case 1: {
          // What the driver makes of it. It has no number, but no dialogue has another message then.
          const index = packed.count()
          const { from, recipients } = this.dialogue.messages[index]
          const to = recipients.map(({ address }) => address)
          this.outcomes.set(index, failed(index, from, to, 'rejected', readError(packed)))
          break
        }
        case 2:
          packed.number()
          for (let count = packed.count(); count > 0; count--) {
            const piece = packed.octet() === 0 ? packed.bytes() : this.contents[packed.number()].subarray(packed.number(), packed.number())
            this.said.push(piece.slice())
            this.unwritten += piece.length
          }
          break
        case 3:
          packed.number()
          packed.text()
          if (packed.octet() === 0) packed.text(), packed.count(), packed.list((packed) => packed.text())
          else packed.text()
          break
        case 4:
          packed.number()
          this.told.push({ start_tls: { server_name: packed.text(), verify: packed.flag() } })
          break
        case 5:
          packed.number()
          packed.text()
          this.told.push({ get_token: {} })
          break
        case 6:
          packed.number()
          break
        case 8: {
          packed.number()
          const [message, offset] = [packed.number(), packed.number()]
          if (this.dialogue.messages[message].stream?.held) this.asked.set(message, offset)
          else this.handIn(message, offset)
          break
        }
        case 9: {
          const contents = packed.bytes().slice()
          const message = new Reader(contents).number()
          if (this.outcomes.has(message)) throw new Error(`message ${message} has ended twice`)
          this.outcomes.set(message, new Outcome(message, contents))
          break
        }
        case 10:
          this.learn(readEvent(packed.sized()))
          break
        case 11: {
          const deadline = packed.number()
          this.deadline = Number.isNaN(deadline) ? null : deadline
          packed.flag()
          break
        }
        case 12:
          this.deadline = null
          return true
        case 13:
          packed.number()
          packed.optionalText()
          break
        default:
          throw new Error(`there is no record ${record}`)
      }
    }
    return false
  }

  learn(event) {
    const told = told_of(event)
    if (event.type === 'closed') {
      const failed = (error) => ({ failed: { error: error.code, reply: replyOf(event.reply) } })
      this.closed = event.error === undefined ? { quit: {} } : failed(event.error)
      return
    }
    const [name] = Object.keys(told)
    const isAlwaysTold = ['authenticated', 'pipelining_reduced', 'reply'].includes(name)
    if (isAlwaysTold || this.dialogue.steps.some((step) => step.event !== undefined && name in step.event)) this.told.push({ event: told })
  }
}

function told_of(event) {
  switch (event.type) {
    case 'greeting':
      return { greeting: event.reply.code }
    case 'authenticated':
      return { authenticated: event.mechanism }
    case 'pipelining-reduced':
      return { pipelining_reduced: {} }
    case 'reply':
      return { reply: { command: event.command, code: event.reply.code } }
    case 'trace':
      return { trace: traced(event) }
    default:
      return { [event.type]: {} }
  }
}

function traced(event) {
  switch (event.kind) {
    case 'sent':
      return `C: ${event.line}`
    case 'content':
      return `C: (${event.octets} octets)`
    case 'received': {
      const { code, enhanced, text } = event.reply
      return `S: ${[code, enhanced, text].filter((part) => part !== undefined && part !== '').join(' ')}`
    }
    default:
      return 'TLS'
  }
}

const replyOf = (reply) => (reply === undefined || reply === null ? null : { code: reply.code, enhanced: reply.enhanced ?? null })

function errorOf({ code }) {
  if (code === 421) return 'reply.closing'
  if (code === 530) return 'auth.required'
  return code < 500 ? 'reply.deferred' : 'reply.rejected'
}

const equal = (found, expected, what) => {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what} is ${a}, expected ${b}`)
}

/** Runs a dialogue; `cut` says how what is received is cut. Throws if anything is not as it should be. */
export function run(module, dialogue, cut) {
  const machine = new Machine(module, dialogue)
  const seen = new Set()
  let at = ''
  try {
    for (const [place, { line, ...step }] of dialogue.steps.entries()) {
      at = `line ${line}: ${JSON.stringify(step).slice(0, 200)}`
      const [action] = Object.keys(step)
      const value = step[action]
      switch (action) {
        case 'write': {
          const expected = bytesOf(value.bytes)
          const said = join(machine.said.splice(0))
          if (!same(said, expected)) throw new Error(`said ${text(said)}, expected ${text(expected)}`)
          break
        }
        case 'start_tls':
        case 'get_token':
        case 'event':
          equal(machine.told.shift() ?? null, step, 'what is told')
          break
        case 'recipient': {
          const outcome = machine.outcomes.get(value.message)
          const { address, status, reply, error } = outcome?.recipients[value.recipient] ?? {}
          seen.add(`${value.message} ${address}`)
          equal(status, value.outcome, 'the outcome')
          equal(replyOf(reply), value.reply, 'the reply')
          const usual = reply !== undefined && status !== 'accepted' ? errorOf(reply) : undefined
          equal(error === undefined || error.code === usual ? null : error.code, value.error === usual ? null : value.error, 'the error')
          break
        }
        case 'message': {
          const outcome = machine.outcomes.get(value.message)
          equal(outcome?.status, value.outcome, 'the outcome')
          if (value.reply !== null) equal(replyOf(outcome.reply), value.reply, 'the reply')
          if (value.error !== null) equal(outcome.error?.code, value.error, 'the error')
          if (value.queue_id !== null) equal(outcome.queueId, value.queue_id, 'the queue id')
          if (value.progress !== null) equal(outcome.progress, value.progress, 'how far it came')
          if (value.round_trips !== null) equal(outcome.roundTrips, value.round_trips, 'round trips')
          break
        }
        case 'closed':
          equal(machine.closed, value, 'the end')
          break
        default: {
          if (machine.said.length > 0) throw new Error(`nobody has seen ${text(join(machine.said))}`)
          if (machine.told.length > 0) throw new Error(`nobody has seen ${JSON.stringify(machine.told)}`)
          const next = dialogue.steps.slice(place + 1).find((step) => 'write' in step || !isSeen(step))
          if (next?.write?.written !== undefined && next.write.written !== null) machine.room = next.write.written
          if (action === 'receive') {
            const bytes = bytesOf(value.bytes)
            for (const piece of value.at_once ? [bytes] : cut(bytes)) machine.receive(piece)
          } else machine.act(action, value)
        }
      }
    }
    if (machine.said.length > 0 || machine.told.length > 0) throw new Error('something was said at the end that nobody has seen')
    if (machine.outcomes.size === 0 && dialogue.messages.length > 0 && machine.closed !== null) throw new Error('no message has ended')
  } catch (error) {
    throw new Error(`${dialogue.name}, ${at}\n${error.message}`, { cause: error })
  } finally {
    machine.engine.free?.()
  }
}

const isSeen = (step) => ['write', 'start_tls', 'get_token', 'event', 'recipient', 'message', 'closed'].some((name) => name in step)

export const cuts = {
  whole: (bytes) => [bytes],
  each: (bytes) => Array.from(bytes, (octet) => Uint8Array.of(octet)),
  at: (offset) => (bytes) => (offset < bytes.length && offset > 0 ? [bytes.subarray(0, offset), bytes.subarray(offset)] : [bytes]),
}

/** Each dialogue in every way. Gives how many dialogues and how many runs there were. */
export function runAll(module, dialogues) {
  let runs = 0
  for (const dialogue of dialogues) {
    const longest = Math.max(...dialogue.steps.map((step) => ('receive' in step ? bytesOf(step.receive.bytes).length : 0)))
    const ways = [cuts.whole, cuts.each, ...Array.from({ length: Math.min(longest, 300) }, (_, offset) => cuts.at(offset + 1))]
    for (const way of ways) {
      run(module, dialogue, way)
      runs++
    }
  }
  return { dialogues: dialogues.length, runs }
}
