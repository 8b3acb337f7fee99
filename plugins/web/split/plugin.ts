import { after, definePlugin, didYouMean, forThisClient, HeaderList, type Context, type Exchange, type Handler, type Reply } from "edge"
import { atPoint, readCookie, toPoint, type Group } from "./choose.ts"
import { groupKeys, splitSchema, type GroupConfig, type SplitConfig } from "./schema.ts"

interface Arm extends Group {
  readonly run: Handler
}

/** Canary and A/B: each request to one of several handlers, by weight, and the same client to the same one. */
export default definePlugin({
  name: "split",
  kind: "handler",
  config: splitSchema,
  setup: async (config, ctx) => {
    const arms: Arm[] = []
    for (const [i, group] of config.groups.entries()) {
      const at = ["groups", i]
      if (arms.some(arm => arm.name === group.name)) throw ctx.fail(`two groups are named "${group.name}"`, [...at, "name"])
      arms.push({ name: group.name, weight: group.weight, run: telling(config.tell, { name: group.name, run: await makeHandler(group, { ctx, at }) }) })
    }
    if (arms.every(arm => arm.weight === 0)) throw ctx.fail("one group needs a weight", ["groups"])
    return { part: split(arms, config) }
  },
})

function makeHandler(group: GroupConfig, { ctx, at }: { ctx: Context; at: readonly (string | number)[] }): Promise<Handler> {
  const known = ctx.names("handler")
  const named = Object.keys(group).filter(key => !groupKeys.has(key))
  const [name, second] = named
  const odd = named.find(key => !known.includes(key))
  if (odd !== undefined) throw ctx.fail(`unknown key "${odd}"${didYouMean(odd, [...groupKeys, ...known], { list: "allowed" })}`, [...at, odd], { key: true })
  if (name === undefined) throw ctx.fail(`a group needs a handler: one of ${known.join(", ")}`, at)
  if (second !== undefined) throw ctx.fail(`a group has one handler; "${name}" and "${second}" are two`, [...at, second])
  return Promise.resolve(ctx.make("handler", { [name]: group[name] }, at))
}

function telling(header: string | undefined, { name, run }: { name: string; run: Handler }): Handler {
  if (header === undefined) return run
  return x => {
    const headers = HeaderList.from(x.headers)
    headers.deleteAlike(header)
    headers.append(header, name)
    return run(x.with({ headers }))
  }
}

function split(arms: readonly Arm[], { cookie, by, header }: SplitConfig): Handler {
  const byName = new Map(arms.map(arm => [arm.name, arm]))
  const point = toPoint(by)
  const sticky = typeof cookie === "string" ? { name: cookie, max_age: undefined } : cookie

  function asked(x: Exchange): Arm | undefined {
    const name = header === undefined ? null : x.headers.get(header)
    return name === null ? undefined : byName.get(name)
  }

  return x => {
    // Whichever arm is asked: a cache around would give its answer to the clients of the others.
    forThisClient(x)
    const forced = asked(x)
    if (forced !== undefined) return forced.run(x)
    if (sticky === undefined) return atPoint(arms, point(x)).run(x)
    const before = byName.get(readCookie(x, sticky.name) ?? "")
    // A group that was set to 0 is being emptied: its clients move on.
    if (before !== undefined && before.weight > 0) return before.run(x)
    const arm = atPoint(arms, point(x))
    const age = sticky.max_age === undefined ? "" : `; Max-Age=${Math.round(sticky.max_age / 1000)}`
    const line = `${sticky.name}=${arm.name}; Path=/; SameSite=Lax; HttpOnly${x.scheme === "https" ? "; Secure" : ""}${age}`
    const keep = (reply: Reply): Reply => {
      reply.headers.append("Set-Cookie", line)
      return reply
    }
    return after(() => arm.run(x), { change: keep })
  }
}
