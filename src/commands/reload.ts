import { control } from "../control.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"

/** Says so only when the new fronts serve. */
export async function run(options: ControlOptions & { readonly apps?: boolean }): Promise<void> {
  const { generation } = await control(await controlSocket(options), { do: "reload", apps: options.apps === true })
  console.log(`reloaded: generation ${generation} serves`)
}
