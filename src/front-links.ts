/** How gateways in a front reach their app's workers: what the supervisor last said about them, and the way back. */
import { resolve } from "node:path"
import type { Generation } from "./generation.ts"
import type { Logger } from "./log/logger.ts"
import type { AppLink, AppModule, SharedPage, WorkerInfo, WorkerReport } from "./plugin.ts"
import { openPage } from "./slots.ts"
import type { AppState, FrontStart, FromFront } from "./supervisor/messages.ts"

type Listener = (workers: readonly WorkerInfo[]) => void

export class FrontLinks {
  readonly #say: (message: FromFront) => void
  readonly #states = new Map<string, AppState>()
  readonly #listeners = new Map<string, Listener[]>()
  readonly #pages = new Map<string, SharedPage>()
  #front = 0
  #log: Logger | undefined

  constructor(say: (message: FromFront) => void) {
    this.#say = say
  }

  fill({ front, apps }: FrontStart, log: Logger): void {
    this.#front = front
    this.#log = log
    for (const [app, state] of Object.entries(apps)) this.#states.set(app, state)
  }

  change(app: string, state: AppState): void {
    this.#states.set(app, state)
    for (const listener of this.#listeners.get(app) ?? []) listener(state.workers)
  }

  link(app: string, generation: Generation): AppLink {
    return {
      log: this.#log!.with({ app }),
      front: this.#front,
      workers: f => {
        const listeners = this.#listeners.get(app)
        if (listeners === undefined) this.#listeners.set(app, [f])
        else listeners.push(f)
        f(this.#states.get(app)?.workers ?? [])
      },
      page: () => this.#page(app),
      report: (report: WorkerReport) => this.#say({ type: "report", app, report }),
      load: () => loadApp(app, generation),
    }
  }

  #page(app: string): SharedPage | undefined {
    const path = this.#states.get(app)?.page
    if (path === undefined) return undefined
    let page = this.#pages.get(path)
    if (page === undefined) this.#pages.set(path, (page = openPage(path)))
    return page
  }
}

/** For gateways that run the app inside the front. */
async function loadApp(name: string, generation: Generation): Promise<AppModule> {
  const app = generation.apps.find(({ spec }) => spec.name === name)!
  const entry = app.spec.options.runtime["entry"]
  if (app.framework === undefined || typeof entry !== "string") throw new Error(`the app "${name}" has no module to load`)
  return await app.framework.load((await import(resolve(app.spec.dir, entry))) as Record<string, unknown>, app.spec)
}
