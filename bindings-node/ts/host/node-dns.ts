import { Resolver } from 'node:dns/promises'
import type { DnsAnswer } from '../engine/input.js'

/**
 * Asks the DNS through c-ares, which follows aliases by itself, and does not tell of them.
 *
 * An alias without any such records at its end is "no data" as much as a name without any.
 */
export function resolver(nameServers: readonly string[] | undefined): (name: string, type: 'MX' | 'A' | 'AAAA') => Promise<DnsAnswer> {
  const dns = new Resolver()
  if (nameServers !== undefined) dns.setServers(nameServers)
  return async (name, type) => {
    try {
      return { records: await lookUp(dns, name, type) }
    } catch (error) {
      return { records: { kind: kindOf(error) } }
    }
  }
}

async function lookUp(dns: Resolver, name: string, type: 'MX' | 'A' | 'AAAA'): Promise<DnsAnswer['records']> {
  if (type === 'MX') {
    const records = await dns.resolveMx(name)
    const exchanges = records.map(({ priority, exchange }) => ({ preference: priority, host: exchange }))
    return exchanges.length === 0 ? { kind: 'none' } : { kind: 'exchanges', exchanges }
  }
  const addresses = type === 'A' ? await dns.resolve4(name) : await dns.resolve6(name)
  return addresses.length === 0 ? { kind: 'none' } : { kind: 'addresses', addresses }
}

function kindOf(error: unknown): 'none' | 'no-such-name' | 'failed' {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENODATA':
      return 'none'
    case 'ENOTFOUND':
      return 'no-such-name'
    default:
      return 'failed'
  }
}
