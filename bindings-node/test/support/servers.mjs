// Postfix and Dovecot on loopback, as tests/servers starts them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const run = fileURLToPath(new URL('../../../tests/servers/run.py', import.meta.url))

/** Starts these servers. Gives what they tell, and how they are stopped. */
export async function start(...names) {
  const child = spawn(run, names, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(child.stdout), 'line')
  const told = JSON.parse(line)
  const stop = async () => {
    child.stdin.end()
    await once(child, 'exit')
  }
  return { ...told, stop }
}

/** What stands in a Maildir, once it has so many messages. */
export async function mails(maildir, count = 1) {
  for (let tries = 0; tries < 200; tries++) {
    const files = await readdir(`${maildir}/new`).catch(() => [])
    if (files.length >= count) return Promise.all(files.map((file) => readFile(`${maildir}/new/${file}`)))
    await sleep(50)
  }
  throw new Error(`${maildir} has no ${count} messages`)
}
