/** How gateways in a front reach their app's workers: what the supervisor last said about them, and the way back. */
import type { Generation } from "../generation/generation.ts"
import { loadApp } from "../apps/load.ts"
import type { Logger } from "../log/logger.ts"
import type { AppLink, RequestNow, SharedPage, WorkerInfo, WorkerReport } from "../contract/gateway.ts"
import { openPage } from "../slots/page.ts"
import type { AppState, FrontStart, FromFront } from "../supervisor/fronts/messages.ts"

type Listener = (workers: readonly WorkerInfo[]) => void

export class FrontLinks {
  readonly #say: (message: FromFront) => void
  readonly #states = new Map<string, AppState>()
  readonly #listeners = new Map<string, Listener[]>()
  readonly #requests = new Map<string, () => readonly RequestNow[]>()
  readonly #pages = new Map<string, SharedPage>()
  #front = 0
  #dev = false
  #log: Logger | undefined

  constructor(say: (message: FromFront) => void) {
    this.#say = say
  }

  fill({ front, apps, dev }: FrontStart, log: Logger): void {
    this.#front = front
    this.#dev = dev
    this.#log = log
    for (const [app, state] of Object.entries(apps)) this.#states.set(app, state)
  }

  /** What the workers of every app do for this front now. */
  get requests(): Readonly<Record<string, readonly RequestNow[]>> {
    return Object.fromEntries([...this.#requests].map(([app, list]) => [app, list()]))
  }

  change(app: string, state: AppState): void {
    this.#states.set(app, state)
    for (const listener of this.#listeners.get(app) ?? []) listener(state.workers)
  }

  link(app: string, generation: Generation): AppLink {
    const log = this.#log!.with({ app })
    return {
      log,
      front: this.#front,
      workers: f => {
        const listeners = this.#listeners.get(app)
        if (listeners === undefined) this.#listeners.set(app, [f])
        else listeners.push(f)
        f(this.#states.get(app)?.workers ?? [])
      },
      page: () => this.#page(app),
      report: (report: WorkerReport) => this.#say({ type: "report", app, report }),
      requests: f => void this.#requests.set(app, f),
      load: () => loadApp(generation.apps.find(({ spec }) => spec.name === app)!.spec, { log, dev: this.#dev }),
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
