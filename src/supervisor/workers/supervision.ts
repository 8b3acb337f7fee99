/** Starts the supervising half of an app's gateway: first-party ones here, a third party's in a child of its own. */
import { noBus } from "../../generation/bus.ts"
import type { PlannedApp } from "../../generation/plan.ts"
import type { Context, Plugin } from "../../contract/plugin.ts"
import type { Gateway, Supervision, WorkerHost } from "../../contract/gateway.ts"
import { standard } from "../../standard.ts"
import { State } from "../../generation/state.ts"
import { type ExternalOptions, superviseInChild } from "./external-supervision.ts"

export async function superviseApp(app: PlannedApp, options: ExternalOptions): Promise<Supervision> {
  if (app.external) return superviseInChild(app, options)
  const gateway = await firstPartyGateway(app, options.host)
  if (gateway.supervise === undefined) throw new Error(`the gateway ${app.spec.gateway} has no processes`)
  return gateway.supervise(app.spec, options.launch, options.host)
}

/** Set up without a generation: a supervising half gets its options and nothing of the web layer. */
async function firstPartyGateway(app: PlannedApp, host: WorkerHost): Promise<Gateway> {
  const load = standard.gateway[app.spec.gateway]
  if (load === undefined) throw new Error(`no gateway named ${app.spec.gateway}`)
  const plugin = (await load()).default as Plugin<"gateway">
  const at = `app.${app.spec.name}`
  const context: Context = {
    log: host.log,
    dir: app.spec.dir,
    digest: "",
    at,
    signal: new AbortController().signal,
    dev: false,
    bus: noBus,
    store: new State(host.log),
    page: none("pages of fronts"),
    resolve: path => path,
    make: none("parts"),
    names: () => [],
    app: none("apps"),
    redispatch: none("web layer"),
    place: (path = []) => [at, ...path].join("."),
    fail: message => new Error(message),
  }
  return (await plugin.setup(app.spec.options.gateway, context)).part
}

function none(what: string): () => never {
  return () => {
    throw new Error(`a gateway's supervising half has no ${what}`)
  }
}
