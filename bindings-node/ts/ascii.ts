/**
 * An address whose domain alone is outside ASCII, with that as A-labels: runtimes know Unicode's tables, and so they need not be in
 * WebAssembly. What has no such form is left to the engine.
 */
export function inAscii(address: string): string {
  const [, local, domain, rest] = ABROAD.exec(address) ?? []
  return local === undefined || domain === undefined ? address : `${local}${hostInAscii(domain)}${rest ?? ''}`
}

const ABROAD = /^([\x00-\x7f]*@)([^@<>]*[^\x00-\x7f][^@<>]*)(>?)$/

/** The name of a host as A-labels (UTS 46), if it has such a form. */
export function hostInAscii(host: string): string {
  try {
    return new URL(`http://${host}`).hostname
  } catch {
    return host
  }
}
