import { control, waitForEnd } from "../control.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"

/** Returns when edge has stopped. */
export async function run(options: ControlOptions & { readonly now?: boolean }): Promise<void> {
  const socket = await controlSocket(options)
  await control(socket, { do: "stop", now: options.now === true })
  await waitForEnd(socket)
  console.log("stopped")
}
