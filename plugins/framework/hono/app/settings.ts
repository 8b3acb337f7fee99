import * as v from "valibot"

type Env = Readonly<Record<string, string | undefined>>

/** The app's own settings from the environment, as its schema types them; all that is wrong in one error. */
export function readSettings<S extends v.GenericSchema>(schema: S, env: Env): v.InferOutput<S> {
  const result = v.safeParse(schema, { ...env })
  if (result.success) return result.output
  const lines = result.issues.map(issue => `  ${v.getDotPath(issue) ?? ""}: ${issue.message}`)
  throw new Error(`the environment does not fit the app's settings:\n${lines.join("\n")}`)
}
