// A mailing: messages are taken as fast as they can be sent, and outcomes come as they come.
import { Client, type Message } from 'okuru'

const server = process.env['SERVER'] ?? 'smtp://user:password@mail.example.com'

async function* letters(): AsyncGenerator<Message> {
  for (let number = 1; number <= 100; number++) {
    yield { raw: `Subject: letter ${number}\r\n\r\nHello!\r\n`, from: 'me@example.test', to: 'discard@example.test' }
  }
}

await using client = new Client({ server, tls: 'none', connections: 2 })
let accepted = 0
for await (const outcome of client.sendMany(letters())) {
  if (outcome.status === 'accepted') accepted++
  else console.error(outcome.index, outcome.error?.code)
}
console.log(accepted)
