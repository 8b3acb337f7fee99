/** `edge upstream ...`: what proxies send to, and changes that last until the next reload. */
import { control } from "../control.ts"
import { EdgeError, errors } from "../errors.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"
import { table } from "./table.ts"

interface Options extends ControlOptions {
  readonly to?: string
  readonly weight?: string
  readonly backup?: boolean
  readonly json?: boolean
}

/** One proxy as one front sees it. */
interface ProxyState {
  readonly proxy: string
  readonly upstreams: readonly UpstreamState[]
}

interface UpstreamState {
  readonly upstream: string
  readonly state: string
  readonly weight: number
  readonly backup: boolean
  readonly active: number
  readonly requests: number
  readonly failures: number
}

const changes: readonly string[] = ["add", "remove", "drain", "undrain", "weigh"]

export async function run(options: Options, [what = "list", url, weight]: readonly string[]): Promise<void> {
  if (what !== "list" && (!changes.includes(what) || url === undefined)) throw new EdgeError(errors.usage("edge upstream [list | add URL | remove URL | drain URL | undrain URL | weigh URL N]"))
  const socket = await controlSocket(options)
  const args = { do: what, ...(url !== undefined && { url }), ...(options.to !== undefined && { to: options.to }), ...weightOf(weight ?? options.weight), backup: options.backup === true }
  if (what === "add") await oneProxy(socket, options.to)
  const { told = [] } = await control(socket, { do: "tell", command: { name: "upstream", args }, keep: what !== "list" })
  const fronts = told as readonly (readonly ProxyState[])[]
  if ((fronts[0] ?? []).length === 0) throw new EdgeError({ code: "upstream/none", message: url === undefined ? "there is no proxy" : `no proxy has an upstream ${url}` })
  const all = (fronts[0] ?? []).map((proxy, i) => merge(fronts.map(front => front[i]).filter(one => one?.proxy === proxy.proxy) as ProxyState[]))
  console.log(options.json === true ? JSON.stringify(all, null, 2) : rows(all))
}

function weightOf(text: string | undefined): { weight?: number } {
  if (text === undefined) return {}
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new EdgeError(errors.usage(`a weight is a whole number from 1 to 9999; found "${text}"`))
  return { weight: Number(text) }
}

/** Adding must not mean every proxy there is. */
async function oneProxy(socket: string, to: string | undefined): Promise<void> {
  if (to !== undefined) return
  const { told = [] } = await control(socket, { do: "tell", command: { name: "upstream", args: { do: "list" } }, keep: false })
  const names = ((told[0] ?? []) as ProxyState[]).map(({ proxy }) => proxy)
  if (names.length > 1) throw new EdgeError({ code: "upstream/which", message: `say which proxy with --to: ${names.join(", ")}` })
}

/** The fronts count each for itself, and each finds out for itself who is down. */
function merge(fronts: readonly ProxyState[]): ProxyState {
  const [first] = fronts
  return {
    proxy: first!.proxy,
    upstreams: first!.upstreams.map(upstream => {
      const same = fronts.flatMap(front => front.upstreams.filter(one => one.upstream === upstream.upstream))
      const sum = (key: "active" | "requests" | "failures"): number => same.reduce((total, one) => total + one[key], 0)
      const states = [...new Set(same.map(one => one.state))]
      return { ...upstream, state: states.join("/"), active: sum("active"), requests: sum("requests"), failures: sum("failures") }
    }),
  }
}

function rows(proxies: readonly ProxyState[]): string {
  return table([
    ["PROXY", "UPSTREAM", "STATE", "WEIGHT", "ACTIVE", "REQUESTS", "FAILURES"],
    ...proxies.flatMap(({ proxy, upstreams }) =>
      upstreams.map(u => [proxy, u.upstream, u.backup ? `${u.state}, backup` : u.state, u.weight, u.active, u.requests, u.failures]),
    ),
  ])
}
