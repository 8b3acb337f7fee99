/** `edge upstream ...`: what may be changed while edge runs. A reload goes back to what the file says. */
import type { PartCommand } from "edge"
import type { Health } from "./health/health.ts"
import type { Endpoint } from "./servers/endpoint.ts"
import type { Servers } from "./servers/servers.ts"

export interface UpstreamState {
  readonly upstream: string
  readonly state: "up" | "down" | "resting" | "draining"
  readonly weight: number
  readonly backup: boolean
  readonly active: number
  readonly requests: number
  readonly failures: number
}

/** Which proxy is meant: its `name`, or its place in the config; undefined when only one matters. */
export interface CommandPlace {
  readonly name: string | undefined
  readonly at: string
  readonly servers: Servers
  readonly health: Health
}

/** Undefined where the command is for another part. Throws what is wrong with it. */
export function command({ name, args }: PartCommand, of: CommandPlace): unknown {
  if (name !== "upstream") return undefined
  const to = text(args["to"])
  if (to !== undefined && to !== of.name && to !== of.at) return undefined
  switch (args["do"]) {
    case "list":
      return list(of)
    case "add":
      of.servers.add(
        { url: text(args["url"]) ?? "", weight: number(args["weight"]) ?? 1, backup: args["backup"] === true, max_conns: 0, resolve: undefined, srv: false },
        { fresh: true },
      )
      return list(of)
  }
  const endpoint = of.servers.find(text(args["url"]) ?? "")
  if (endpoint === undefined) return undefined
  change(endpoint, { args, of })
  return list(of)
}

function change(endpoint: Endpoint, { args, of }: { args: PartCommand["args"]; of: CommandPlace }): void {
  const { servers, health } = of
  switch (args["do"]) {
    case "remove":
      if (servers.endpoints.length === 1) throw new Error(`${endpoint.upstream.id} is the last one there; drain it instead`)
      return servers.remove(endpoint)
    case "drain":
      return health.drain(endpoint, true)
    case "undrain":
      return health.drain(endpoint, false)
    case "weigh": {
      const weight = number(args["weight"])
      if (weight === undefined || weight < 1) throw new Error("a weight is a whole number from 1")
      return health.weigh(endpoint, weight)
    }
  }
  throw new Error(`no such command: ${String(args["do"])}`)
}

function list({ servers, name, at }: CommandPlace): { proxy: string; upstreams: UpstreamState[] } {
  return { proxy: name ?? at, upstreams: servers.endpoints.map(stateOf) }
}

function stateOf(endpoint: Endpoint): UpstreamState {
  const { upstream, weight, backup, requests, failures } = endpoint
  const state = endpoint.draining ? "draining" : endpoint.failing ? "down" : endpoint.restsUntil !== 0 ? "resting" : "up"
  return { upstream: upstream.id, state, weight, backup, active: upstream.active, requests, failures }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) ? value : undefined
}
