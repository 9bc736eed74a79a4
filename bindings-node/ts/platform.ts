import type { EngineModule } from './engine/engine.js'
import type { Host } from './host/host.js'

/** What this runtime has. */
export interface Platform {
  readonly module: EngineModule
  readonly host: Host
  /** Which engine it is: `native` or `wasm`. */
  readonly engine: 'native' | 'wasm'
}

let current: (() => Platform) | undefined

/** The entry for each runtime says what that has. */
export function usePlatform(platform: () => Platform): void {
  let made: Platform | undefined
  current = () => (made ??= platform())
}

/** What this runtime has. */
export function platform(): Platform {
  if (current === undefined) throw new TypeError('no entry of this package has been loaded')
  return current()
}
