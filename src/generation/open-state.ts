/** The shared state alone, for processes that serve nothing. */
import type { Config } from "../config/config.ts"
import { ConfigError, EdgeError, errors, type Problem } from "../errors.ts"
import type { Logger, Store } from "../plugin.ts"
import { Registry } from "../registry/registry.ts"
import { noBus } from "./bus.ts"
import { FrontPages } from "./front-pages.ts"
import { Parts } from "./parts.ts"
import { setUpStore, State } from "./state.ts"

const SETUP_MAX_MS = 10_000
const STOP_MS = 5000

export async function openState(config: Config, log: Logger): Promise<{ store: Store; close(): Promise<void> }> {
  const problems: Problem[] = []
  const registry = await Registry.open(config, problems)
  const ended = new AbortController()
  const state = new State(log)
  const pages = new FrontPages(undefined)
  const parts = new Parts({
    config,
    registry,
    problems,
    log,
    dev: false,
    bus: noBus,
    signal: ended.signal,
    store: state,
    page: (name, words) => pages.declare(name, words),
    appNames: [],
    setupMaxMs: SETUP_MAX_MS,
    app: () => undefined,
    redispatch: () => {
      throw new EdgeError(errors.part("there are no routes here"))
    },
  })
  const store = await setUpStore(config.readKernel().kernel.server.state, { parts, registry })
  if (problems.length > 0 || store === undefined) throw new ConfigError(problems)
  for (const { live } of parts.built) await live.start?.()
  state.adopt(store)
  return {
    store: state,
    close: async () => {
      ended.abort()
      state.close()
      for (const { live } of parts.built.toReversed()) await live.stop?.(AbortSignal.timeout(STOP_MS))
    },
  }
}
