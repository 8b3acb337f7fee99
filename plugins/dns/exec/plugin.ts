import { definePlugin, duration, type DnsProvider } from "edge"
import * as v from "valibot"

/** Records by a program of yours: `COMMAND ... add NAME VALUE` and `COMMAND ... remove NAME VALUE`. For providers that edge does not know. */
export default definePlugin({
  name: "exec",
  kind: "dns",
  config: v.strictObject({
    command: v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1, "must not be empty"), v.description('Program and arguments; "add" or "remove", the name and the value of the TXT record follow.')),
    timeout: v.pipe(v.optional(duration({ min: "1s" }), "2m"), v.description("How long it may take.")),
  }),
  setup: ({ command, timeout }, ctx) => {
    const run = async (what: "add" | "remove", name: string, value: string, signal: AbortSignal): Promise<void> => {
      const child = Bun.spawn([...command, what, name, value], {
        cwd: ctx.dir,
        stdio: ["ignore", "pipe", "pipe"],
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
        killSignal: "SIGKILL",
      })
      const [code, out, error] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()])
      if (code === 0) return
      const why = child.signalCode === null ? `ended with ${code}` : `was ended (${child.signalCode}) after ${timeout / 1000} s`
      throw new Error(`${command[0]} ${what} ${name} ${why}: ${(error.trim() || out.trim()).slice(-500)}`)
    }
    const part: DnsProvider = {
      add: (name, value, signal) => run("add", name, value, signal),
      remove: (name, value, signal) => run("remove", name, value, signal),
    }
    return { part }
  },
})
