/** Forms of the site itself behind common proxies, and those of other sites, through the executable. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { request } from "node:http"
import { Edge } from "../kit/edge.ts"

const app = `
import { App, CsrfField } from "edge/app"
const app = new App()
app.get("/form", c => c.render(<form><CsrfField /></form>))
app.post("/form", c => c.text("done"))
app.put("/json", async c => c.json(await c.req.json()))
export default app
`
const config = (env = "") => `[server]\ntrusted_proxies = ["127.0.0.1/32"]\n[[site]]\nlisten = ["127.0.0.1:0"]\n[[site.route]]\napp = "a"\n[app.a]\nentry = "app.tsx"\nworkers = 1\nenv = { SECRET_KEY = "only-for-tests-0123456789"${env} }\n`

let edge: Edge
let named: Edge
beforeAll(async () => {
  edge = await Edge.start({ config: config(), files: { "app.tsx": app } })
  named = await Edge.start({ config: config(`, SITE_URL = "https://shop.example/"`), files: { "app.tsx": app } })
}, 60_000)
afterAll(async () => {
  await edge[Symbol.asyncDispose]()
  await named[Symbol.asyncDispose]()
})

type Fields = Record<string, string>

/** With any Host and Origin, as proxies send them on. */
function ask(on: Edge, method: string, path: string, o: { headers: Fields; body?: string }): Promise<{ status: number; text: string; cookie: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: on.port(), method, path, headers: o.headers, agent: false }, async response => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString(), cookie: (response.headers["set-cookie"] ?? []).map(line => line.split(";")[0]).join("; ") })
    })
    sent.on("error", reject)
    sent.end(o.body)
  })
}

/** The form is asked for by `got`, and sent with `got` and `sent`; a PUT of JSON, which has no token, with the same. */
async function both(got: Fields, sent: Fields, on = edge): Promise<[form: number, json: number, withoutToken: number]> {
  const page = await ask(on, "GET", "/form", { headers: got })
  const token = /name="_csrf" value="([^"]+)"/.exec(page.text)![1]!
  const headers = { ...got, ...sent, cookie: page.cookie }
  const form = (body: string) => ask(on, "POST", "/form", { headers: { ...headers, "content-type": "application/x-www-form-urlencoded", "content-length": String(body.length) }, body })
  const json = await ask(on, "PUT", "/json", { headers: { ...headers, "content-type": "application/json", "content-length": "2" }, body: "{}" })
  return [(await form(`_csrf=${encodeURIComponent(token)}`)).status, json.status, (await form("a=1")).status]
}

const https = { "x-forwarded-proto": "https" }
const origin = "https://shop.example"
const IN = [200, 200, 403]
const OUT = [403, 403, 403]

test.each<[string, Fields, Fields, number[]]>([
  // What the browser says, whatever proxies did to Host, port, scheme and Origin; the token stays needed.
  ["Host rewritten", { host: "127.0.0.1:8000", "x-forwarded-host": "shop.example", ...https }, { origin, "sec-fetch-site": "same-origin" }, IN],
  ["port lost", { host: "shop.example", ...https }, { origin: `${origin}:8443`, "sec-fetch-site": "same-origin" }, IN],
  ["Origin null", { host: "shop.example", ...https }, { origin: "null", "sec-fetch-site": "same-origin" }, IN],
  ["scheme not sent", { host: "shop.example" }, { origin, "sec-fetch-site": "same-origin" }, IN],
  ["typed by the user", { host: "shop.example" }, { origin: "null", "sec-fetch-site": "none" }, IN],
  ["another site", { host: "shop.example", ...https }, { origin: "https://evil.example", "sec-fetch-site": "cross-site" }, OUT],
  ["another site that says our Origin", { host: "shop.example", ...https }, { origin, "sec-fetch-site": "cross-site" }, OUT],
  ["a subdomain", { host: "shop.example", ...https }, { origin: "https://a.shop.example", "sec-fetch-site": "same-site" }, OUT],
  ["two words of a browser", { host: "shop.example", ...https }, { origin, "sec-fetch-site": "cross-site, same-origin" }, OUT],
  ["an empty word", { host: "shop.example", ...https }, { origin: "https://evil.example", "sec-fetch-site": "" }, OUT],
  // Where browsers do not say it: Origin and Host.
  ["plain", { host: "shop.example" }, { origin: "http://shop.example" }, IN],
  ["TLS ended by a proxy that says so", { host: "shop.example", ...https }, { origin }, IN],
  ["TLS ended by one that does not", { host: "shop.example" }, { origin }, IN],
  ["a port of its own", { host: "shop.example:8443", ...https }, { origin: `${origin}:8443` }, IN],
  ["the usual port, written out", { host: "shop.example:443", ...https }, { origin }, IN],
  ["capitals", { host: "SHOP.example", ...https }, { origin }, IN],
  ["no browser", { host: "shop.example" }, {}, IN],
  ["http to https", { host: "shop.example", ...https }, { origin: "http://shop.example" }, OUT],
  ["another port", { host: "shop.example", ...https }, { origin: `${origin}:8443` }, OUT],
  ["another host", { host: "shop.example", ...https }, { origin: "https://shop.example.evil.example" }, OUT],
  ["no origin", { host: "shop.example", ...https }, { origin: "null" }, OUT],
  ["nonsense", { host: "shop.example", ...https }, { origin: "shop.example" }, OUT],
])("%s", async (_, got, sent, wanted) => {
  expect(await both(got, sent)).toEqual(wanted as never)
})

test("Host rewritten, and no word of the browser: the site's own URL says it; without one the log says what to do", async () => {
  const got = { host: "127.0.0.1:8000" }
  expect(await both(got, { origin })).toEqual([403, 403, 403])
  expect(await both(got, { origin }, named)).toEqual([200, 200, 403])
  expect(await both(got, { origin: "https://shop.example.evil.example" }, named)).toEqual([403, 403, 403])
  await edge.heard("say where the site is, new App({ url }) or SITE_URL")
  expect(edge.output.split("say where the site is").length).toBe(2)
})
