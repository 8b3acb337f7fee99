import { after, definePlugin, type Exchange, HeaderList, type Prepared, rehead, Reply } from "edge"
import { Origins } from "./origins.ts"
import { type Cors, corsSchema } from "./schema.ts"

/** Lets pages of other origins read the answers (Fetch Standard, 3.2), and answers their preflights. */
export default definePlugin({
  name: "cors",
  kind: "middleware",
  config: corsSchema,
  setup: (config, ctx) => {
    const origins = new Origins(config.origins)
    if (origins.any && config.credentials) {
      throw ctx.fail('"*" with credentials would let every site act as its visitors; name the origins', ["credentials"])
    }
    if (origins.any && config.origins.length > 1) throw ctx.fail('"*" means all others too', ["origins"])
    const answers = new Answers(config, origins)
    return {
      part: next => x => {
        if (x.method === "OPTIONS" && x.headers.has("origin") && x.headers.has("access-control-request-method")) return answers.preflight(x)
        return after(() => next(x), answers.actual(x.headers.get("origin")))
      },
    }
  },
})

interface Change {
  change(reply: Reply): Reply
}

class Answers {
  readonly #config: Cors
  readonly #origins: Origins
  /** For the origins that are named, for all others (""), and for "*": answers from memory are changed once for each. */
  readonly #changes = new Map<string, Change>()

  constructor(config: Cors, origins: Origins) {
    this.#config = config
    this.#origins = origins
  }

  /** What is done with an answer to this origin. */
  actual(origin: string | null): Change {
    if (this.#origins.any) return this.#changeFor("*")
    const found = origin === null ? undefined : this.#origins.find(origin)
    if (found === "wild") return { change: reply => (this.#set(reply.headers, origin!), reply) }
    return this.#changeFor(found === undefined ? "" : origin!)
  }

  #changeFor(origin: string): Change {
    let found = this.#changes.get(origin)
    if (found === undefined) {
      const options = { change: (headers: HeaderList) => this.#set(headers, origin), known: new WeakMap<object, Prepared>() }
      this.#changes.set(origin, (found = { change: reply => rehead(reply, options) }))
    }
    return found
  }

  /** `origin` "": one that may not. What an app says of its own about CORS gives way: two lines would be none to browsers. */
  #set(headers: HeaderList, origin: string): void {
    const { credentials, expose } = this.#config
    if (origin === "") headers.delete("Access-Control-Allow-Origin")
    else headers.set("Access-Control-Allow-Origin", origin)
    if (origin !== "" && credentials) headers.set("Access-Control-Allow-Credentials", "true")
    else headers.delete("Access-Control-Allow-Credentials")
    if (origin !== "" && expose.length > 0) headers.set("Access-Control-Expose-Headers", expose.join(", "))
    // Also on answers to those who may not, else a cache gives these to those who may.
    if (origin !== "*") vary(headers, "Origin")
  }

  preflight(x: Exchange): Reply {
    const { methods, headers: allowed, max_age: maxAge, private_network: privateNetwork, credentials } = this.#config
    const origin = x.headers.get("origin")!
    const asked = x.headers.get("access-control-request-headers")
    const headers = new HeaderList()
    const reply = new Reply(204, headers)
    if (!this.#origins.any) headers.set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Private-Network")
    if (!this.#origins.any && this.#origins.find(origin) === undefined) return reply
    headers.set("Access-Control-Allow-Origin", this.#origins.any ? "*" : origin)
    if (credentials) headers.set("Access-Control-Allow-Credentials", "true")
    headers.set("Access-Control-Allow-Methods", methods.join(", "))
    if (allowed !== undefined) headers.set("Access-Control-Allow-Headers", allowed.join(", "))
    else if (asked !== null && /^[\w\-!#$%&'*+.^`|~]+(?: *, *[\w\-!#$%&'*+.^`|~]+)*$/.test(asked)) headers.set("Access-Control-Allow-Headers", asked)
    if (privateNetwork && x.headers.get("access-control-request-private-network") === "true") headers.set("Access-Control-Allow-Private-Network", "true")
    headers.set("Access-Control-Max-Age", String(Math.floor(maxAge / 1000)))
    return reply
  }
}

function vary(headers: HeaderList, name: string): void {
  const has = headers.get("Vary")
  if (has === null) headers.set("Vary", name)
  else if (!has.split(",").some(one => one.trim() === "*" || one.trim().toLowerCase() === name.toLowerCase())) headers.set("Vary", `${has}, ${name}`)
}
