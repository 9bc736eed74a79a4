// One message, and what became of it for each recipient.
import { send } from 'okuru'

const server = process.env['SERVER'] ?? 'smtp://user:password@mail.example.com'
const raw = 'From: me@example.test\r\nTo: discard@example.test\r\nSubject: hello\r\n\r\nHello!\r\n'

const outcome = await send({ raw }, { server, tls: 'none' })
for (const { address, status, reply } of outcome.orThrow().recipients) console.log(address, status, reply?.code)
