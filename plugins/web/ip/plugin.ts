import { cidr, definePlugin, HttpError } from "edge"
import * as v from "valibot"
import { Networks } from "./networks.ts"

const network = v.union([cidr(), v.picklist(["unix", "all"])], 'a range of addresses such as "10.0.0.0/8", "unix" or "all"')
const isRule = (text: string): boolean => {
  const [verb, of, ...more] = text.split(" ")
  return (verb === "allow" || verb === "deny") && more.length === 0 && v.is(network, of)
}
const expects = 'expected "allow NETWORK" or "deny NETWORK", such as "allow 10.0.0.0/8" or "deny all"'
const list = (help: string) => v.pipe(v.optional(v.array(network)), v.description(help))

/** Lets addresses in, or not. */
export default definePlugin({
  name: "ip",
  kind: "middleware",
  role: "access",
  config: v.strictObject({
    allow: list("Networks that are let in; all others are not"),
    deny: list("Networks that are not let in, also where allow names them"),
    rules: v.pipe(
      v.optional(v.array(v.pipe(v.string(), v.check(isRule, expects)))),
      v.description('In place of the two: "allow NETWORK" and "deny NETWORK" in order, the first that fits decides; none: let in'),
    ),
    status: v.pipe(v.optional(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)), 403), v.description("Of a refusal")),
  }),
  setup: ({ allow, deny, rules, status }, ctx) => {
    if (rules !== undefined && (allow !== undefined || deny !== undefined)) throw ctx.fail('"rules" goes without "allow" and "deny"', ["rules"])
    const ordered = rules?.map(rule => rule.split(" ") as [string, string]) ?? [
      ...(deny ?? []).map(of => ["deny", of] as const),
      ...(allow ?? []).map(of => ["allow", of] as const),
      ...(allow === undefined ? [] : [["deny", "all"] as const]),
    ]
    if (ordered.length === 0) return { part: next => next }
    const networks = new Networks()
    const lets = ordered.map(([verb, of], i) => {
      networks.add(of, i)
      return verb === "allow"
    })
    const refusal = new HttpError(status, "the address is not let in", { quiet: true })
    return {
      part: next => x => {
        const rank = networks.rank(x.ip)
        if (rank !== Infinity && !lets[rank]) throw refusal
        return next(x)
      },
    }
  },
})
