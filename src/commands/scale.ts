import { control } from "../control.ts"
import { EdgeError, errors } from "../errors.ts"
import { type ControlOptions, controlSocket } from "./control-socket.ts"

export async function run(options: ControlOptions, [app = "", count = ""]: readonly string[]): Promise<void> {
  if (!/^\d{1,5}$/.test(count)) throw new EdgeError(errors.usage(`the number of workers must be a whole number; found "${count}"`))
  await control(await controlSocket(options), { do: "scale", app, workers: Number(count) })
  console.log(`${app}: ${count} worker${count === "1" ? "" : "s"} wanted`)
}
