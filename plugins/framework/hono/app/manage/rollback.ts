import { CommandError, type AppCommand } from "../part.ts"
import { options } from "./args.ts"
import { standingOf } from "../migrations.ts"

export const rollback: AppCommand = {
  name: "rollback",
  help: "takes the last migration back (rows of what it added are lost); NAME takes back all that came after it; zero: all",
  async run(args, app) {
    const { positionals } = options(args, {})
    const { all, waiting, runner } = await standingOf(app)
    const applied = all.slice(0, all.length - waiting.length)
    if (applied.length === 0) throw new CommandError("nothing is applied")
    const [to] = positionals
    const keep = to === undefined ? applied.length - 1 : to === "zero" ? 0 : applied.findIndex(m => m.name === to || m.name.startsWith(`${to}_`)) + 1
    if (keep === 0 && to !== "zero" && to !== undefined) throw new CommandError(`there is no applied migration "${to}"; there are ${applied.map(m => m.name).join(", ")}`)
    const back = applied.slice(keep).toReversed()
    const stuck = back.find(migration => migration.down === undefined)
    if (stuck !== undefined) throw new CommandError(`${stuck.name} cannot be taken back: it has no down.sql`)
    for (const migration of back) {
      await runner.revert(migration)
      console.log(`${migration.name}: taken back`)
      for (const [, what] of migration.down!.join("\n").matchAll(/^-- lost: (.+)$/gm)) console.log(`  ${what}`)
    }
    if (back.length === 0) console.log("nothing to take back")
    return 0
  },
}
