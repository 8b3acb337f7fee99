/** `edge dev`: one front, a look at every save, and errors in the browser. */
import { serve } from "./run.ts"

export function run(options: { readonly config: string; readonly control?: string }): Promise<number> {
  return serve(options, { dev: true })
}
