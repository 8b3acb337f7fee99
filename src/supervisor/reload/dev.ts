/** `edge dev`: a look at the files every now and then, and a page with the error while there is nothing else to show. */
import { dirname } from "node:path"
import { Config } from "../../config/config.ts"
import type { Plan } from "../../generation/plan.ts"
import { fingerprint } from "../workers/fingerprint.ts"
import type { ConfigSource } from "./planner.ts"
import type { RenewalParts, Serving } from "./reload.ts"

/** Looking costs about 1 ms for 100 files; notifications of the system miss what editors and network disks do. */
const LOOK_MS = 250
/** What is loaded once, migrations too; pages and pictures are served as they are. */
const SOURCES = /\.(?:toml|[cm]?[jt]sx?|py|html|jinja2?|j2|sql)$/

export class Watcher {
  readonly #onChange: () => void
  readonly #first: string
  #folders: readonly string[]
  #seen: string
  #timer: ReturnType<typeof setInterval>

  constructor(source: ConfigSource, onChange: () => void) {
    this.#onChange = onChange
    this.#first = dirname(source.file)
    this.#folders = [this.#first]
    this.#seen = this.#look()
    this.#timer = setInterval(() => this.#compare(), LOOK_MS)
  }

  /** Looks at the apps' folders too. */
  follow(plan: Plan): void {
    const folders = [this.#first, ...plan.apps.map(({ spec }) => spec.dir)]
    if (Bun.deepEquals(folders, this.#folders)) return
    this.#folders = folders
    this.#seen = this.#look()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #compare(): void {
    const now = this.#look()
    if (now === this.#seen) return
    this.#seen = now
    this.#onChange()
  }

  #look(): string {
    return [...new Set(this.#folders)].map(folder => fingerprint(folder, { only: SOURCES })).join()
  }
}

/** Where a config stands that names no address. */
const DEFAULT_ADDRESS = "127.0.0.1:8080"

/** Before the first good config there are no addresses: the default one shows what is wrong. */
export async function serveProblem(parts: RenewalParts, problem: string): Promise<Serving> {
  const plan = emptyPlan(parts.source)
  const { log } = parts
  parts.logAs(plan)
  const sockets = await parts.sockets.prepare([DEFAULT_ADDRESS], { dir: plan.config.dir })
  const set = parts.generations.make(plan, { sockets: sockets.sockets, pools: new Map(), log, problem })
  try {
    await set.start()
    await set.listen()
  } catch (error) {
    set.kill()
    sockets.rollback()
    throw error
  }
  sockets.commit()
  return { set, plan, log, fresh: sockets.fresh }
}

function emptyPlan({ file }: ConfigSource): Plan {
  const config = new Config({ file, dir: dirname(file), files: [file], tree: {}, spots: {}, variables: [] })
  const { server, log } = config.kernel
  return { config: config.toJSON(), addresses: [{ address: DEFAULT_ADDRESS, urls: [`http://${DEFAULT_ADDRESS}/`] }], apps: [], pages: [], logFiles: [], server, log, hooks: false }
}
